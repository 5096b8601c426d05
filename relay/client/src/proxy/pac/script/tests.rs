//! Scripts as networks have them, and bad ones.

use super::*;

/// Wednesday, 2024-05-15 22:30:00 UTC.
const NOW: Duration = Duration::from_secs(1_715_812_200);

fn run_at(script: &str) -> Result<String, BadPac> {
    run(script, "http://phone.example.org/x", "phone.example.org", SystemTime::UNIX_EPOCH + NOW)
}

#[track_caller]
fn holds(condition: &str) -> bool {
    let script = format!("function FindProxyForURL(url, host) {{ return {condition} ? 'yes' : 'no' }}");
    match run_at(&script).unwrap().as_str() {
        "yes" => true,
        "no" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn a_script_of_the_usual_kind_is_run() {
    let script = r#"
        proxies = ["PROXY a:1", "PROXY b:2"];   // never declared
        function FindProxyForURL(url, host) {
            if (isPlainHostName(host) || shExpMatch(url, "https:*")) return "DIRECT";
            for (var i in proxies) if (dnsDomainIs(host, ".example.org")) return proxies[i] + "; DIRECT";
            return null;
        }"#;
    assert_eq!(run_at(script).unwrap(), "PROXY a:1; DIRECT");
    assert_eq!(run_at("function FindProxyForURL() { return null }").unwrap(), "");
}

#[test]
fn the_standard_functions_do_what_browsers_do() {
    for yes in [
        "isPlainHostName('www')",
        "dnsDomainIs('www.netscape.com', '.netscape.com')",
        "localHostOrDomainIs('www.netscape.com', 'www.netscape.com')",
        "localHostOrDomainIs('www', 'www.netscape.com')",
        "isResolvable('127.0.0.1')",
        "isInNet('198.95.249.79', '198.95.249.79', '255.255.255.255')",
        "isInNet('198.95.6.8', '198.95.0.0', '255.255.0.0')",
        "dnsResolve('127.0.0.1') === '127.0.0.1'",
        "/^[0-9.]+$/.test(myIpAddress())",
        "dnsDomainLevels('www') === 0 && dnsDomainLevels('www.netscape.com') === 2",
        "shExpMatch('http://home.netscape.com/people/ari/index.html', '*/ari/*')",
        "shExpMatch('abc', 'a?c') && shExpMatch('', '*') && shExpMatch('a.b', 'a.b')",
        "url === 'http://phone.example.org/x' && host === 'phone.example.org'",
        "weekdayRange('WED', 'GMT') && weekdayRange('MON', 'FRI', 'GMT') && weekdayRange('TUE', 'WED', 'GMT')",
        "weekdayRange('SAT', 'WED', 'GMT')",
        "dateRange(15, 'GMT') && dateRange('MAY', 'GMT') && dateRange(2024, 'GMT') && dateRange(1, 15, 'GMT')",
        "dateRange('OCT', 'MAY', 'GMT') && dateRange(24, 'DEC', 20, 'MAY', 'GMT') && dateRange(2020, 2024, 'GMT')",
        "dateRange(1, 'JUN', 2023, 15, 'MAY', 2024, 'GMT') && dateRange('JUN', 2023, 'MAY', 2024, 'GMT')",
        "timeRange(22, 'GMT') && timeRange(20, 23, 'GMT') && timeRange(22, 30, 22, 30, 'GMT') && timeRange(22, 6, 'GMT')",
        "timeRange(22, 29, 59, 22, 30, 0, 'GMT')",
        "alert('x') === undefined",
    ] {
        assert!(holds(yes), "{yes}");
    }
    for no in [
        "isPlainHostName('www.netscape.com')",
        "dnsDomainIs('www', '.netscape.com') || dnsDomainIs('www.mcom.com', '.netscape.com')",
        "localHostOrDomainIs('www.mcom.com', 'www.netscape.com') || localHostOrDomainIs('home', 'www.netscape.com')",
        "isInNet('198.96.6.8', '198.95.0.0', '255.255.0.0')",
        "shExpMatch('http://home.netscape.com/people/montulli/index.html', '*/ari/*') || shExpMatch('axb', 'a.b')",
        "weekdayRange('THU', 'SAT', 'GMT') || weekdayRange('XYZ')",
        "dateRange(16, 'GMT') || dateRange('JUN', 'SEP', 'GMT') || dateRange(2025, 'GMT') || dateRange()",
        "timeRange(21, 'GMT') || timeRange(23, 6, 'GMT') || timeRange(22, 31, 23, 0, 'GMT') || timeRange()",
    ] {
        assert!(!holds(no), "{no}");
    }
}

#[test]
fn a_script_can_neither_run_for_ever_nor_take_all_memory() {
    let began = Instant::now();
    assert_eq!(run_at("while (true) {}"), Err(BadPac::Endless));
    assert!(began.elapsed() < TIME * 2);
    let greedy = "function FindProxyForURL() { var all = []; while (true) all.push(new Array(1000).join('x') + all.length) }";
    assert!(matches!(run_at(greedy), Err(BadPac::Script(_) | BadPac::Endless)));
    let deep = "function FindProxyForURL() { return FindProxyForURL() + 1 }";
    assert!(matches!(run_at(deep), Err(BadPac::Script(_))));
}

#[test]
fn a_script_has_nothing_but_the_standard_functions() {
    for what in ["require", "process", "std", "os", "fetch", "XMLHttpRequest", "load", "print", "console"] {
        assert!(holds(&format!("typeof {what} === 'undefined'")), "{what}");
    }
    assert!(holds(
        "(function () { for (var i = 0; i < 40; i++) dnsResolve('127.0.0.1'); return dnsResolve('127.0.0.1') === undefined || dnsResolve('127.0.0.1') === null })()"
    ));
}

#[test]
fn what_is_wrong_with_a_script_is_said() {
    let said = |script: &str| run_at(script).unwrap_err().to_string();
    assert!(said("function FindProxyForURL( {").contains("script fails"));
    assert!(said("function FindProxyForURL() { return nowhere }").contains("nowhere"));
    assert!(said("var x = 1").contains("script fails"));
    assert!(said("function FindProxyForURL() { throw new Error('no\\n way') }").contains("no way"));
}
