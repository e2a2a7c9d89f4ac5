use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn id(number: u64) -> LogId {
    LogId::parse(&format!("900{number:010}")).unwrap()
}

fn mark(number: u64, date: i64) -> LogMark {
    LogMark { id: id(number), date: Some(date) }
}

fn following(known: impl IntoIterator<Item = (u64, i64)>) -> Checkpoint {
    let mut checkpoint = Checkpoint::new(Duration::from_secs(5));
    let marks: Vec<_> = known.into_iter().map(|(number, date)| mark(number, date)).collect();
    checkpoint.take_in(&marks, 0);
    checkpoint.take_in(&[], 0);
    checkpoint
}

#[test]
fn a_short_page_is_followed_by_a_look_back_of_fifty_logs_or_five_seconds() {
    for (what, known, expected) in [
        ("a single log", vec![(7, 0)], 7),
        ("all within five seconds", (1..=9).map(|n| (n, 0)).collect(), 1),
        ("more than fifty within five seconds", (1..=80).map(|n| (n, 0)).collect(), 30),
        ("a log a second", (1..=20).map(|n| (n, 1_000 * n as i64)).collect(), 15),
        ("a date that lags behind", vec![(1, 0), (2, 9_000), (3, 1_000), (4, 9_000)], 1),
    ] {
        assert_eq!(following(known).next_read(), NextRead::After(id(expected)), "{what}");
    }
}

#[test]
fn a_full_page_is_followed_by_the_next_at_once() {
    let mut checkpoint = following([(1, 0)]);
    let page: Vec<_> = (2..102).map(|number| mark(number, 0)).collect();
    assert!(checkpoint.take_in(&page, 0).iter().all(|arrival| *arrival == Arrival::New));
    assert_eq!((checkpoint.next_read(), checkpoint.wait()), (NextRead::After(id(101)), Duration::ZERO));
}

#[test]
fn what_was_there_before_anybody_listened_is_past() {
    let mut checkpoint = Checkpoint::new(Duration::from_secs(5));
    assert_eq!(checkpoint.next_read(), NextRead::Newest);
    assert_eq!(checkpoint.take_in(&[mark(9, 0), mark(5, 0)], 0), [Arrival::Known; 2]);
    assert!(!checkpoint.is_seeded());
    assert_eq!(checkpoint.next_read(), NextRead::After(id(5)));
    let arrivals = checkpoint.take_in(&[mark(7, 0), mark(9, 0), mark(11, 0)], 0);
    assert_eq!(arrivals, [Arrival::Past, Arrival::Past, Arrival::New]);
    assert!(checkpoint.is_seeded());
}

#[test]
fn the_first_logs_of_a_tenant_are_new() {
    let mut checkpoint = Checkpoint::new(Duration::from_secs(5));
    checkpoint.take_in(&[], 0);
    assert!(checkpoint.is_seeded());
    assert_eq!(checkpoint.take_in(&[mark(2, 0), mark(1, 0)], 0), [Arrival::New; 2]);
    assert_eq!(checkpoint.next_read(), NextRead::After(id(1)));
}

#[test]
fn waits_grow_while_nothing_comes_and_after_failures() {
    let mut checkpoint = following([(1, 0)]);
    assert_eq!(checkpoint.wait(), Duration::from_secs(1), "whoever begins to listen waits no longer");
    checkpoint.take_in(&[mark(2, 0)], 0);
    assert_eq!(checkpoint.wait(), Duration::from_secs(1));
    let waits: Vec<_> = (0..4).map(|_| (checkpoint.take_in(&[], 0), checkpoint.wait().as_secs()).1).collect();
    assert_eq!(waits, [2, 4, 5, 5]);
    let waits: Vec<_> = (0..4).map(|_| checkpoint.fail(None).as_secs()).collect();
    assert_eq!(waits, [1, 2, 4, 5]);
    assert_eq!(checkpoint.fail(Some(Duration::from_secs(9))), Duration::from_secs(9));
    assert_eq!(checkpoint.fail(Some(Duration::from_secs(9_000))), LONGEST_WAIT);
}

#[test]
fn what_is_pushed_is_told_once_and_what_push_lost_is_read_late() {
    let mut checkpoint = following([(1, 0), (2, 0)]);
    let pushed = checkpoint.take_in_pushed(&[mark(3, 0), mark(5, 0), mark(2, 0)]).unwrap();
    assert_eq!(pushed, [Arrival::New, Arrival::New, Arrival::Known]);
    assert_eq!(checkpoint.next_read(), NextRead::After(id(1)), "nothing of it has been read");
    let read: Vec<_> = (2..=6).map(|number| mark(number, 0)).collect();
    let expected = [Arrival::Known, Arrival::Known, Arrival::Late, Arrival::Known, Arrival::New];
    assert_eq!(checkpoint.take_in(&read, 0), expected);
    // Too old to tell whether it was told.
    assert_eq!(checkpoint.take_in_pushed(&[mark(0, 0)]), Some(vec![Arrival::Past]));
}

#[test]
fn what_is_told_while_a_read_is_on_its_way_is_not_told_again_by_its_answer() {
    let logs: Vec<_> = (8..=300).map(|number| mark(number, 0)).collect();
    let page = &logs[..PAGE];
    let told = |checkpoint: &mut Checkpoint| {
        let arrivals = checkpoint.take_in_shared(&logs, logs.last().map(|log| &log.id)).unwrap();
        assert!(arrivals.iter().all(|arrival| *arrival == Arrival::New));
        checkpoint.forget_before(&id(300));
    };
    // As it happens to a replica that read for all, was paused, and hears first of what another has read meanwhile.
    let mut checkpoint = following([(7, 0)]);
    assert_eq!(checkpoint.begin_read(), NextRead::After(id(7)));
    told(&mut checkpoint);
    assert!(checkpoint.take_in(page, 0).iter().all(|arrival| *arrival == Arrival::Known));
    assert_eq!(checkpoint.known.len(), LOOK_BACK + 1, "then they are forgotten");
    // The same of a tenant that had no logs.
    let mut checkpoint = Checkpoint::new(Duration::from_secs(5));
    checkpoint.take_in(&[], 0);
    assert_eq!(checkpoint.begin_read(), NextRead::Newest);
    told(&mut checkpoint);
    assert!(checkpoint.take_in(page, 0).iter().all(|arrival| *arrival == Arrival::Known));
    // A read that fails brings nothing.
    let mut checkpoint = following([(7, 0)]);
    checkpoint.begin_read();
    told(&mut checkpoint);
    checkpoint.fail(None);
    assert_eq!(checkpoint.known.len(), LOOK_BACK + 1);
    assert_eq!(checkpoint.next_read(), NextRead::After(id(250)));
}

#[test]
fn reads_rest_while_logs_are_pushed_and_are_bounded_in_what_they_wait_for() {
    let mut checkpoint = following([(1, 0)]);
    checkpoint.take_in_pushed(&[mark(2, 0)]).unwrap();
    checkpoint.take_in(&[mark(2, 0)], 0);
    assert_eq!(checkpoint.wait(), Duration::from_secs(60));
    checkpoint.take_in(&[], 0);
    assert!(checkpoint.wait() <= Duration::from_secs(5), "nothing was pushed since");
    let many: Vec<_> = (3..MOST_KNOWN as u64).map(|number| mark(number, 0)).collect();
    assert!(checkpoint.take_in_pushed(&many).is_some() && checkpoint.is_nearly_full());
    assert!(checkpoint.take_in_pushed(&many[..9]).is_none());
    let mut next = 2;
    while checkpoint.is_nearly_full() {
        let page: Vec<_> = (next + 1..=next + PAGE as u64).map(|number| mark(number, 0)).collect();
        assert!(checkpoint.take_in(&page, 0).iter().all(|arrival| *arrival == Arrival::Known));
        next += PAGE as u64;
        assert_eq!(checkpoint.next_read(), NextRead::After(id(next)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Logs get their ids in order and become visible some reads later, a few of them behind their successors. Some are pushed,
    /// a few of those late or twice.
    #[test]
    fn each_log_is_delivered_once_and_out_of_order_only_where_it_is_late(
        delays in vec(prop_oneof![9 => Just(0_usize), 1 => 1_usize..4], 1..400),
        arrivals in vec(0_usize..130, 1..40),
        pushes in vec(prop_oneof![Just(None), (Just(()), 0_usize..3, 0_usize..9).prop_map(|(_, one, other)| Some([one, other]))], 400),
        is_pushed: bool,
    ) {
        let mut checkpoint = following([(0, 0)]);
        let (mut made, mut read) = (0, 0);
        let mut visible: BTreeSet<u64> = BTreeSet::from([0]);
        let mut coming: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        let mut pushed: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        let mut delivered = BTreeSet::new();
        let mut greatest = 0;
        let mut is_behind_reach = BTreeSet::new();
        let quiet = std::iter::repeat_n(0, 12);
        for new in arrivals.iter().copied().chain(quiet) {
            for delay in delays.iter().skip(made).take(new) {
                made += 1;
                coming.entry(read + delay).or_default().push(made as u64);
                for delay in pushes.get(made).copied().flatten().into_iter().flatten().filter(|_| is_pushed) {
                    pushed.entry(read + delay).or_default().push(made as u64);
                }
            }
            let now = pushed.remove(&read).unwrap_or_default();
            let marks: Vec<_> = now.iter().map(|number| mark(*number, 0)).collect();
            let told = checkpoint.take_in_pushed(&marks).unwrap();
            let newest = greatest;
            for (number, arrival) in now.iter().zip(told) {
                match arrival {
                    Arrival::Known => prop_assert!(delivered.contains(number)),
                    Arrival::Past => {}
                    Arrival::New => prop_assert!(*number > newest && delivered.insert(*number)),
                    Arrival::Late => prop_assert!(*number < newest && delivered.insert(*number)),
                }
                greatest = greatest.max(*delivered.last().unwrap_or(&0));
            }
            visible.extend(coming.remove(&read).unwrap_or_default());
            let NextRead::After(from) = checkpoint.next_read() else { panic!("it has been seeded") };
            let page: Vec<_> =
                visible.iter().filter(|n| id(**n) > from).take(PAGE).map(|n| (*n, mark(*n, 0))).collect();
            is_behind_reach.extend(visible.iter().filter(|n| **n > 0 && id(**n) <= from && !delivered.contains(*n)));
            let marks: Vec<_> = page.iter().map(|(_, mark)| mark.clone()).collect();
            for ((number, _), arrival) in page.iter().zip(checkpoint.take_in(&marks, 0)) {
                match arrival {
                    Arrival::Known => prop_assert!(delivered.contains(number) || *number == 0),
                    Arrival::Past => prop_assert!(false, "nothing is past"),
                    Arrival::New => {
                        prop_assert!(*number > greatest && delivered.insert(*number));
                        greatest = *number;
                    }
                    Arrival::Late => prop_assert!(*number < greatest && delivered.insert(*number)),
                }
            }
            read += 1;
        }
        let expected: BTreeSet<u64> = visible.iter().copied().filter(|n| *n > 0).collect();
        let lost: BTreeSet<_> = expected.difference(&delivered).copied().collect();
        prop_assert!(lost.is_subset(&is_behind_reach), "{lost:?}");
    }

    #[test]
    fn logs_that_are_pushed_together_count_as_those_that_are_pushed_one_by_one(
        pushes in vec(vec(0_u64..60, 0..30), 1..6),
    ) {
        let known = || following((20..30).map(|number| (number, 0)));
        let (mut together, mut one_by_one) = (known(), known());
        for push in pushes {
            let marks: Vec<_> = push.into_iter().map(|number| mark(number, 0)).collect();
            // Whatever is before the logs of this push is the newest for all of them.
            let newest = one_by_one.cursor().cloned();
            let mut expected = Vec::new();
            for log in &marks {
                let part = one_by_one.take_in_pushed(std::slice::from_ref(log)).unwrap().remove(0);
                let is_new = part == Arrival::Late && Some(&log.id) > newest.as_ref();
                expected.push(if is_new { Arrival::New } else { part });
            }
            prop_assert_eq!(together.take_in_pushed(&marks).unwrap(), expected);
            prop_assert_eq!(&together.known, &one_by_one.known);
            prop_assert!(together.known.iter().is_sorted_by(|one, other| one.mark.id < other.mark.id));
        }
    }

    #[test]
    fn nothing_is_lost_that_becomes_visible_within_the_look_back(late in 1_u64..=49) {
        let mut checkpoint = following((0..=100).filter(|n| *n != 100 - late).map(|n| (n, 0)));
        let NextRead::After(from) = checkpoint.next_read() else { panic!("it has been seeded") };
        prop_assert!(from < id(100 - late));
        prop_assert_eq!(checkpoint.take_in(&[mark(100 - late, 0)], 0), [Arrival::Late]);
    }
}
