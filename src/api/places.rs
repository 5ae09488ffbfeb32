//! The places of connections: so many and no more, and who must go when all are taken. Whoever has shown no key yet and
//! keeps us waiting is the first to go, the one that came first before the others: half-open connections, however many, then
//! hold up nobody who says at once what is wanted. After those go unknown ones that rest between two requests, then known
//! ones that rest. A connection whose request is being served, or whose answer is still being taken, never goes; if there are
//! only such, the next one waits.

use crate::api::pace::{Pace, Rest};
use crate::base::Span;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So large a share of all places is made free at once, rounded up: looking for those who must go takes longer than a
/// connection, and in a flood the next one is there already.
const SHARE: usize = 64;
/// How often it is looked again when nobody can go.
const LOOK_AGAIN: Span = Span::millis(50);

/// See the module. Held by whoever accepts; nothing here is locked.
pub(super) struct Places {
    max: usize,
    free: Arc<Semaphore>,
    /// Connections in the order they came. Those that ended are taken out now and then.
    open: VecDeque<Weak<Pace>>,
}

impl Places {
    /// All are free.
    pub(super) fn new(max: usize) -> Places {
        Places { max, free: Arc::new(Semaphore::new(max)), open: VecDeque::new() }
    }

    /// A place, once there is one. May be dropped and asked again at any time.
    pub(super) async fn room(&mut self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = self.free.clone().try_acquire_owned() {
                return place;
            }
            self.make_room();
            let freed = tokio::time::timeout(LOOK_AGAIN.std(), self.free.clone().acquire_owned()).await;
            if let Ok(Ok(place)) = freed {
                return place;
            }
        }
    }

    /// Takes note of who has a place.
    pub(super) fn taken_by(&mut self, pace: &Arc<Pace>) {
        // Twice as many as can live are kept at most; so a sweep over all of them is paid by as many connections.
        if self.open.len() >= self.max * 2 {
            self.open.retain(|pace| pace.strong_count() > 0);
        }
        self.open.push_back(Arc::downgrade(pace));
    }

    /// Tells those who must go, unless some were told and are still about to.
    fn make_room(&mut self) {
        let wanted = self.max.div_ceil(SHARE);
        let open = || self.open.iter().filter_map(Weak::upgrade);
        if open().any(|pace| pace.must_go()) {
            return;
        }
        for rest in [Rest::OfStranger, Rest::BetweenStrange, Rest::BetweenKnown] {
            let leaving: Vec<_> = open().filter(|pace| pace.rest() == Some(rest)).take(wanted).collect();
            if !leaving.is_empty() {
                return leaving.iter().for_each(|pace| pace.send_away());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::pace::Limits;
    use crate::base::Mono;
    use crate::world::Clock;
    use std::task::Poll;

    struct Still;

    impl Clock for Still {
        fn wall(&self) -> crate::base::Time {
            crate::base::Time(0)
        }
        fn mono(&self) -> Mono {
            Mono(1)
        }
    }

    fn open(places: &mut Places) -> Arc<Pace> {
        let pace = Pace::new(Arc::new(Still), Limits { head: Span::secs(5), idle: Span::secs(60) });
        places.taken_by(&pace);
        pace
    }

    /// Who has been told since this was asked last; they have gone.
    fn sent_away(all: &mut Vec<(&'static str, Arc<Pace>)>) -> Vec<&'static str> {
        let names = all.iter().filter(|(_, pace)| pace.must_go()).map(|(name, _)| *name).collect();
        all.retain(|(_, pace)| !pace.must_go());
        names
    }

    #[test]
    fn strangers_go_first_then_those_who_rest_and_never_those_who_are_served() {
        let mut places = Places::new(6);
        let [served, known, resting, first, deaf, last] = std::array::from_fn(|_| open(&mut places));
        let request = served.busy();
        known.is_known();
        drop(known.busy());
        drop(resting.busy());
        // It has an answer and takes none of it.
        let mut answer = Some(deaf.busy());
        assert!(deaf.wrote(Poll::<()>::Pending).is_pending());
        let mut all = vec![("served", served), ("known", known), ("resting", resting), ("first", first), ("deaf", deaf), ("last", last)];
        for expected in ["first", "deaf", "last", "resting", "known"] {
            places.make_room();
            places.make_room();
            assert_eq!(sent_away(&mut all), [expected], "one at a time: nobody else is told before it has gone");
            answer = answer.filter(|_| expected != "deaf");
        }
        places.make_room();
        assert_eq!(sent_away(&mut all), [""; 0], "the one that is served stays");
        drop(request);
    }

    #[test]
    fn a_known_one_is_not_sent_away_within_the_head_of_its_next_request() {
        let mut places = Places::new(1);
        let known = open(&mut places);
        known.is_known();
        drop(known.busy());
        known.came();
        places.make_room();
        assert!(!known.must_go());
        // Nobody knows the other one, and its head is as unfinished as the first.
        let stranger = open(&mut places);
        drop(stranger.busy());
        stranger.came();
        assert_eq!(stranger.rest(), Some(Rest::OfStranger));
        places.make_room();
        assert!(stranger.must_go() && !known.must_go());
    }

    #[test]
    fn of_many_places_several_are_made_free_at_once_and_those_that_ended_are_forgotten() {
        let mut places = Places::new(128);
        let all: Vec<_> = (0..128).map(|_| open(&mut places)).collect();
        places.make_room();
        assert_eq!(all.iter().map(|pace| pace.must_go()).collect::<Vec<_>>()[..4], [true, true, false, false]);
        drop(all);
        for _ in 0..1_000 {
            open(&mut places);
        }
        assert!(places.open.len() <= 256, "{}", places.open.len());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_waits_until_somebody_has_gone_and_may_stop_asking() {
        let mut places = Places::new(1);
        let place = places.room().await;
        let pace = open(&mut places);
        let _request = pace.busy();
        assert!(tokio::time::timeout(Span::secs(10).std(), places.room()).await.is_err(), "the only one is being served");
        drop(place);
        let place = places.room().await;
        assert_eq!(places.free.available_permits(), 0);
        drop(place);
        assert_eq!(places.free.available_permits(), 1);
    }
}
