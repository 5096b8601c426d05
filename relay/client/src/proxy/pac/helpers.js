// The standard functions of proxy auto-configuration scripts, but for dnsResolve and myIpAddress, which the program provides.
// What they are to do is in Netscape's description of 1996; where it is vague they do what browsers do.

function isPlainHostName(host) {
  return host.indexOf('.') < 0 && host.indexOf(':') < 0;
}

function dnsDomainIs(host, domain) {
  return host.length >= domain.length && host.slice(host.length - domain.length) === domain;
}

function localHostOrDomainIs(host, whole) {
  return host === whole || (isPlainHostName(host) && whole.indexOf(host + '.') === 0);
}

function isResolvable(host) {
  return !!dnsResolve(host);
}

function dnsDomainLevels(host) {
  return host.split('.').length - 1;
}

function isInNet(host, network, mask) {
  function number(address) {
    var parts = String(address).split('.');
    if (parts.length !== 4) return null;
    var value = 0;
    for (var i = 0; i < 4; i++) {
      if (!/^[0-9]{1,3}$/.test(parts[i]) || parts[i] > 255) return null;
      value = value * 256 + Number(parts[i]);
    }
    return value;
  }
  var address = number(host);
  if (address === null) {
    var resolved = dnsResolve(host);
    if (!resolved) return false;
    address = number(resolved);
  }
  var bits = number(mask), base = number(network);
  if (address === null || bits === null || base === null) return false;
  return (address & bits) === (base & bits);
}

// A match of shell patterns without regular expressions: their time has a bound.
function shExpMatch(text, pattern) {
  var t = 0, p = 0, star = -1, mark = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      t++;
      p++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.length && pattern[p] === '*') p++;
  return p === pattern.length;
}

function alert() {}

(function (global, now) {
  var DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
  var MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];

  // The arguments without a last 'GMT', and the time as they mean it.
  function read(given) {
    var list = Array.prototype.slice.call(given);
    var utc = list.length > 0 && String(list[list.length - 1]).toUpperCase() === 'GMT';
    if (utc) list.pop();
    var date = new Date(now);
    function part(name) {
      return utc ? date['getUTC' + name]() : date['get' + name]();
    }
    return {
      list: list,
      day: part('Day'),
      date: part('Date'),
      month: part('Month'),
      year: part('FullYear'),
      seconds: part('Hours') * 3600 + part('Minutes') * 60 + part('Seconds'),
    };
  }

  // Ranges may go past their end: from Friday to Monday, from October to March, from 22 to 6.
  function within(from, value, to) {
    return from <= to ? from <= value && value <= to : from <= value || value <= to;
  }

  global.weekdayRange = function () {
    var at = read(arguments);
    var from = DAYS.indexOf(String(at.list[0]).toUpperCase());
    var to = at.list.length > 1 ? DAYS.indexOf(String(at.list[1]).toUpperCase()) : from;
    return from >= 0 && to >= 0 && within(from, at.day, to);
  };

  global.dateRange = function () {
    var at = read(arguments);
    function rank(list) {
      var parts = { day: null, month: null, year: null };
      for (var i = 0; i < list.length; i++) {
        var month = MONTHS.indexOf(String(list[i]).toUpperCase());
        if (month >= 0) parts.month = month;
        else if (Number(list[i]) > 31) parts.year = Number(list[i]);
        else parts.day = Number(list[i]);
      }
      return parts;
    }
    function number(parts, like) {
      var value = 0;
      if (like.year !== null) value += parts.year * 10000;
      if (like.month !== null) value += parts.month * 100;
      if (like.day !== null) value += parts.day;
      return value;
    }
    var count = at.list.length;
    if (count === 0 || (count > 1 && count % 2 !== 0)) return false;
    var half = count === 1 ? 1 : count / 2;
    var from = rank(at.list.slice(0, half)), to = rank(at.list.slice(count - half));
    var value = number({ day: at.date, month: at.month, year: at.year }, from);
    return within(number(from, from), value, number(to, from));
  };

  global.timeRange = function () {
    var at = read(arguments), list = at.list.map(Number);
    switch (list.length) {
      case 1:
        return within(list[0] * 3600, at.seconds, list[0] * 3600 + 3599);
      case 2:
        return within(list[0] * 3600, at.seconds, list[1] * 3600 + 3599);
      case 4:
        return within(list[0] * 3600 + list[1] * 60, at.seconds, list[2] * 3600 + list[3] * 60 + 59);
      case 6:
        return within(list[0] * 3600 + list[1] * 60 + list[2], at.seconds, list[3] * 3600 + list[4] * 60 + list[5]);
    }
    return false;
  };
})(this, pacNow);
