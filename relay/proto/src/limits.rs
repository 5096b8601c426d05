//! Numbers both sides must agree on, each with its reason.

use std::time::Duration;

/// Longest a poll may be held. Filters and antivirus proxies cut silent requests at about 30 s.
pub const WAIT_MAX: Duration = Duration::from_secs(25);

/// Largest payload of one chunk, in bytes: a keyframe of 1920x1080 at a high quality fits several times over.
pub const PAYLOAD_MAX: usize = 256 * 1024;

/// Largest body of one upload, in bytes: one chunk of the largest size and some small ones beside it.
pub const UPLOAD_MAX: usize = 320 * 1024;

/// A poll's answer takes no further chunk past this many bytes. Filters hold larger bodies back to look at them whole.
pub const POLL_SOFT_MAX: usize = 64 * 1024;

/// Largest body of a control request, in bytes: the longest chat text, each character escaped, with room to spare.
pub const CONTROL_MAX: usize = 64 * 1024;

/// Most bytes of one answer to `GET /v1/doctor`: enough to tell a rate by, and no way to fetch much through the relay.
pub const DOCTOR_MAX: usize = 256 * 1024;

/// Over how long one such answer may be spread.
pub const DOCTOR_SPREAD_MAX: Duration = Duration::from_secs(5);

/// Polls one session may have parked on one media lane: for sound at a round trip of 200 ms eleven, and some in place of late ones.
pub const PARKED_MAX: usize = 16;

/// How long ago sound may have come that a poll asks for once more.
pub const AGAIN_MAX: Duration = Duration::from_millis(100);

/// Readers the relay remembers for one peer and lane. One is in use; the others are from just before a reconnect.
pub const READERS_MAX: usize = 4;

/// Answered polls the relay remembers for one reader, so that each can be asked for again after a broken connection.
pub const REPLAY_MAX: usize = 64;

/// Peers one report of reception speaks of: more than that nobody sees and hears at once.
pub const RECEIVED_MAX: usize = 16;

/// How long a report of reception counts: six of them are missing by then.
pub const RECEPTION_FRESH: Duration = Duration::from_millis(1500);

/// How long after a report of its sound a peer is said to be heard. A pause of the talk has a packet every 400 ms, and whoever is told has
/// to take it back within 2 s of a cut.
pub const HEARD_FRESH: Duration = Duration::from_millis(900);

/// Longest name, in characters.
pub const NAME_MAX: usize = 32;

/// Shortest password, in characters (NIST SP 800-63B: at least 8).
pub const PASSWORD_MIN: usize = 8;

/// Longest password, in bytes: hashing a longer one is only a way to keep the relay busy.
pub const PASSWORD_MAX: usize = 256;

/// Longest chat text, in characters.
pub const TEXT_MAX: usize = 4000;

/// Longest client id of a chat message or a ring, in characters: room for a UUID with a prefix.
pub const CLIENT_ID_MAX: usize = 64;

/// Longest HTML of a chat message, in bytes, as it is sent and as the relay keeps it: the longest text with some markup.
pub const HTML_MAX: usize = 16 * 1024;

/// Most attachments of one message: a handful of pictures at once.
pub const ATTACHMENTS_MAX: usize = 10;

/// Longest name of a file, in characters: file systems take 255 bytes.
pub const FILE_NAME_MAX: usize = 120;

/// How long after it was sent a message may be changed. Deleting it is always possible.
pub const EDIT_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// How long someone is shown as writing after they last said so.
pub const TYPING: Duration = Duration::from_secs(6);

/// Members of one group, its owner included: each message and each mark of one goes to all the others.
pub const GROUP_MEMBERS_MAX: usize = 50;

/// Groups one person may be in: all of them ride with the state.
pub const GROUPS_MAX: usize = 50;

/// Longest title of a group, in characters.
pub const GROUP_TITLE_MAX: usize = 80;

/// Conversations with one person that the state tells of; older ones are there when one asks.
pub const CONVERSATIONS_MAX: u32 = 200;

/// Unread messages of a conversation that are counted: nobody tells more apart.
pub const UNREAD_MAX: u32 = 100;

/// Longest beginning of a message that the state shows, in characters.
pub const PREVIEW_MAX: usize = 200;

/// Most messages of one page of history.
pub const HISTORY_MAX: u32 = 200;

/// Buddies of one account, asked or asking included: the roster rides whole in one event.
pub const BUDDIES_MAX: usize = 500;

/// Peers in one call, unless whoever runs the relay says otherwise.
pub const PEERS_MAX: usize = 16;

/// How long an invitation rings: long enough to reach a desk, shorter than a caller's patience.
pub const RING: Duration = Duration::from_secs(45);

/// A client that has not polled for this long is gone. Longer than the longest poll and a slow reconnect together.
pub const VANISHED: Duration = Duration::from_secs(35);

/// A person who has done nothing at any of their present clients for this long is away. A client knows of its own windows alone, so
/// it's long enough to read a page beside them.
pub const AWAY: Duration = Duration::from_secs(600);

/// Longest line a person says of themselves, in characters: it stands in one line of a buddy list.
pub const LINE_MAX: usize = 100;

/// People one account may block.
pub const BLOCKED_MAX: usize = 500;

/// People whose missed calls are kept for one account; the oldest make room.
pub const MISSED_MAX: usize = 100;

/// How long a missed call is kept: whoever signs in once a month sees it.
pub const MISSED_KEPT: Duration = Duration::from_secs(31 * 24 * 3600);

/// Longest text of a report to whoever runs the relay, in characters.
pub const REPORT_MAX: usize = 2000;

/// Reports of one account that may wait to be looked at.
pub const REPORTS_OPEN_MAX: usize = 20;

/// Links to one call that count at a time: one of each peer.
pub const LINKS_MAX: usize = 16;

/// Most items one ticker provider shows.
pub const TICKER_ITEMS_MAX: usize = 50;

/// Longest title of a ticker item, in characters: about one line of a wide window.
pub const TICKER_TITLE_MAX: usize = 280;

/// Longest body of a ticker item, in bytes of sanitised HTML.
pub const TICKER_BODY_MAX: usize = 8 * 1024;

/// Longest link of a ticker item, in bytes.
pub const TICKER_LINK_MAX: usize = 2048;
