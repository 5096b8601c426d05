//! The polls of a lane in virtual time.

use std::collections::BTreeSet;

use super::*;

const TOOK: Duration = Duration::from_secs(1);

/// The numbers of all polls that are due.
fn due(polls: &mut Polls, now: Instant) -> Vec<Poll> {
    std::iter::from_fn(|| polls.poll(now, false)).collect()
}

fn numbers(polls: &[Poll]) -> Vec<u64> {
    polls.iter().map(|poll| poll.number).collect()
}

#[test]
fn as_many_as_wanted_are_parked_and_each_answer_makes_room_for_one() {
    let now = Instant::now();
    let mut polls = Polls::new(Kind::Video, 7, 1);
    let first = due(&mut polls, now);
    assert_eq!(numbers(&first), [1, 2]);
    assert!(first.iter().all(|poll| poll.reader == 7 && poll.hold == HOLD));
    polls.set_depth(4, None);
    assert_eq!(numbers(&due(&mut polls, now)), [3, 4]);
    polls.answered(first[0], false, TOOK, now);
    assert_eq!(numbers(&due(&mut polls, now)), [5]);
    polls.set_depth(2, None);
    polls.answered(first[1], false, TOOK, now);
    assert!(due(&mut polls, now).is_empty(), "still three in flight");
}

#[test]
fn one_at_a_time_is_answered_at_once_to_measure() {
    let now = Instant::now();
    let mut polls = Polls::new(Kind::Video, 7, 1);
    let quick = polls.poll(now, true).unwrap();
    assert_eq!(quick.hold, Duration::ZERO);
    assert_eq!(polls.poll(now, true).unwrap().hold, HOLD);
    polls.answered(quick, true, Duration::ZERO, now);
    assert_eq!(polls.poll(now, true).unwrap().hold, Duration::ZERO);
}

#[test]
fn where_nothing_is_heard_one_asks_what_there_is_and_ever_more_rarely() {
    let start = Instant::now();
    let mut polls = Polls::new(Kind::Audio, 7, 1);
    polls.set_depth(4, None);
    assert_eq!(due(&mut polls, start).len(), 4);
    // Fewer are wanted from now on, which is no reason not to ask.
    polls.set_depth(2, None);
    let mut asked = Vec::new();
    let mut now = start;
    for _ in 0..6 {
        now = polls.wake_at(now).unwrap();
        let quick = polls.poll(now, false).unwrap();
        assert_eq!(quick.hold, Duration::ZERO);
        assert!(polls.poll(now, false).is_none() && polls.wake_at(now).is_none(), "one at a time");
        asked.push((now - start).as_secs());
        polls.answered(quick, true, Duration::ZERO, now);
    }
    assert_eq!(asked, [2, 6, 14, 30, 50, 70]);
    let quick = polls.poll(now + HOLD, false).unwrap();
    polls.answered(quick, false, Duration::ZERO, now + HOLD);
    assert_eq!(polls.wake_at(now + HOLD), Some(now + HOLD + SILENCE), "there is something again");
}

#[test]
fn a_broken_poll_goes_again_at_once_under_its_number() {
    let now = Instant::now();
    let mut polls = Polls::new(Kind::Video, 7, 1);
    let first = due(&mut polls, now);
    polls.failed(first[0], Failure::Blip, now);
    assert!(!polls.is_down());
    let again = due(&mut polls, now);
    assert_eq!(numbers(&again), [1]);
    polls.failed(again[0], Failure::Blip, now);
    assert!(polls.is_down(), "twice is no chance");
}

#[test]
fn out_of_reach_one_poll_at_a_time_finds_out_and_then_all_go_again() {
    let mut now = Instant::now();
    let mut polls = Polls::new(Kind::Video, 7, 1);
    polls.set_depth(4, None);
    let first = due(&mut polls, now);
    // A relay that is killed breaks all connections, and then refuses new ones.
    for poll in &first {
        polls.failed(*poll, Failure::Blip, now);
    }
    let again = due(&mut polls, now);
    assert_eq!(numbers(&again), [1, 2, 3, 4]);
    for poll in again {
        polls.failed(poll, Failure::Lasting, now);
    }
    for _ in 0..20 {
        assert!(polls.is_down());
        assert!(polls.poll(now, false).is_none());
        let wake = polls.wake_at(now).unwrap();
        assert!(wake - now <= Duration::from_secs(1), "a relay that is back must be found within a second");
        now = wake;
        let probe = due(&mut polls, now);
        assert_eq!(numbers(&probe), [1]);
        assert_eq!(probe[0].hold, Duration::ZERO);
        polls.failed(probe[0], Failure::Lasting, now);
    }
    now = polls.wake_at(now).unwrap();
    let probe = polls.poll(now, false).unwrap();
    polls.answered(probe, true, Duration::ZERO, now);
    assert!(!polls.is_down());
    assert_eq!(numbers(&due(&mut polls, now)), [2, 3, 4, 5]);
}

#[test]
fn a_relay_that_says_when_is_left_alone_until_then() {
    let now = Instant::now();
    let mut polls = Polls::new(Kind::Video, 7, 1);
    let first = due(&mut polls, now);
    polls.failed(first[0], Failure::Later(Duration::from_secs(3)), now);
    assert_eq!(polls.wake_at(now), Some(now + Duration::from_secs(3)));
    polls.answered(first[1], false, TOOK, now);
    assert_eq!(polls.wake_at(now), Some(now + SILENCE), "an answer is proof enough");
}

#[test]
fn when_others_get_through_it_is_tried_at_once() {
    let now = Instant::now();
    let mut polls = Polls::new(Kind::Video, 7, 1);
    let first = due(&mut polls, now);
    polls.failed(first[0], Failure::Lasting, now);
    assert!(polls.poll(now, false).is_none());
    polls.hurry();
    let probe = polls.poll(now, false).unwrap();
    assert_eq!((probe.number, probe.hold), (1, Duration::ZERO));
    polls.failed(probe, Failure::Later(Duration::from_secs(1)), now);
    polls.hurry();
    assert!(polls.poll(now, false).is_none(), "the relay asked for this pause");
}

#[test]
fn new_connections_take_all_numbers_along() {
    let now = Instant::now();
    let mut polls = Polls::new(Kind::Video, 7, 1);
    polls.set_depth(3, None);
    due(&mut polls, now);
    polls.resend();
    assert_eq!(numbers(&due(&mut polls, now)), [1, 2, 3]);
}

#[test]
fn a_relay_that_will_not_hold_is_not_asked_as_fast_as_it_answers() {
    let now = Instant::now();
    let mut polls = Polls::new(Kind::Video, 7, 1);
    let mut asked = 0;
    while let Some(poll) = polls.poll(now, false) {
        asked += 1;
        polls.answered(poll, true, Duration::from_millis(1), now);
        assert!(asked < 100);
    }
    assert!(polls.paused_until(now).is_some());
    assert!(asked > 8, "a relay that stops answers all parked polls");
}

#[test]
fn whatever_happens_no_number_is_lost_or_given_twice() {
    use proptest::prelude::*;
    proptest!(|(video: bool, steps in prop::collection::vec((0_u8..6, any::<prop::sample::Index>()), 1..300))| {
        let mut now = Instant::now();
        let mut polls = Polls::new(if video { Kind::Video } else { Kind::Audio }, 7, 1);
        let mut flying: Vec<Poll> = Vec::new();
        let mut answered = BTreeSet::new();
        for (what, which) in steps {
            while let Some(poll) = polls.poll(now, what == 1) {
                let twins = flying.iter().filter(|other| other.number == poll.number).count();
                prop_assert!(twins <= usize::from(video), "only what is late goes twice");
                prop_assert!(!answered.contains(&poll.number));
                flying.push(poll);
            }
            prop_assert!(polls.flying.len() <= 8 + LATE_MAX + 1, "and one that asks what there is");
            match what {
                5 => { polls.resend(); flying.clear(); }
                4 => polls.set_depth(which.index(7) + 2, None),
                _ if flying.is_empty() => {}
                0 | 1 => {
                    let poll = flying.remove(which.index(flying.len()));
                    answered.insert(poll.number);
                    polls.answered(poll, false, TOOK, now);
                }
                2 => polls.failed(flying.remove(which.index(flying.len())), Failure::Blip, now),
                _ => polls.failed(flying.remove(which.index(flying.len())), Failure::Lasting, now),
            }
            now = polls.wake_at(now).map_or(now, |at| at.max(now));
        }
        // In the end all that was ever asked for is answered.
        for _ in 0..100 {
            flying.extend(due(&mut polls, now));
            if flying.is_empty() { break; }
            for poll in std::mem::take(&mut flying) {
                answered.insert(poll.number);
                polls.answered(poll, false, TOOK, now);
            }
            now = polls.wake_at(now).unwrap_or(now);
        }
        prop_assert_eq!(answered.len() as u64, *answered.last().unwrap_or(&0));
    });
}

#[test]
fn an_answer_that_later_ones_overtake_is_asked_for_once_more() {
    let now = Instant::now();
    let mut polls = Polls::new(Kind::Video, 7, 1);
    polls.set_depth(3, Some(Duration::from_millis(40)));
    let first = due(&mut polls, now);
    polls.answered(first[1], false, TOOK, now);
    assert_eq!(numbers(&due(&mut polls, now)), [4, 5], "one in place of the answered, one of the late");
    let lost = now + Duration::from_millis(20);
    assert_eq!(polls.wake_at(now), Some(lost));
    assert!(due(&mut polls, lost - Duration::from_millis(1)).is_empty());
    assert_eq!(numbers(&due(&mut polls, lost)), [1]);
    assert!(due(&mut polls, lost + TOOK).is_empty(), "once");
    polls.failed(first[0], Failure::Blip, lost);
    assert!(due(&mut polls, lost).is_empty(), "its copy is on its way");
    polls.answered(first[0], false, TOOK, lost);
    polls.answered(first[0], false, TOOK, lost);
    assert!(due(&mut polls, lost).is_empty(), "there are three in flight");
}

#[test]
fn of_a_lost_answer_with_sound_the_later_ones_have_all() {
    let now = Instant::now();
    let mut polls = Polls::new(Kind::Audio, 7, 1);
    let first = due(&mut polls, now);
    polls.answered(first[1], false, TOOK, now);
    assert_eq!(numbers(&due(&mut polls, now)), [3, 4]);
    assert_eq!(polls.wake_at(now), Some(now + SILENCE), "none of them is asked for once more");
    assert!(due(&mut polls, now + TOOK).is_empty());
}

#[test]
fn where_answers_are_lost_all_the_time_few_are_asked_for_twice() {
    let mut now = Instant::now();
    let mut polls = Polls::new(Kind::Video, 7, 1);
    polls.set_depth(4, None);
    let (mut twice, mut sent) = (0, 0);
    for _ in 0..400 {
        let polled = due(&mut polls, now);
        sent += polled.len();
        let flying = polls.flying.iter().map(|(number, flight)| (*number, *flight)).collect::<Vec<_>>();
        twice += flying.iter().filter(|(_, flight)| flight.copies > 1).count();
        for (number, _) in flying.into_iter().skip(1) {
            polls.answered(Poll { reader: 7, number, hold: HOLD }, false, TOOK, now);
        }
        polls.flying.pop_first();
        now += TOOK;
    }
    assert!(sent > 1000 && twice <= sent / 7, "{twice} of {sent}");
}
