//! When a request is repeated, and after how long: one table, each rule with where it comes from.

use std::time::Duration;

/// Whom a request goes to, as far as patience is concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Party {
    /// The instance metadata service of the VM.
    Metadata,
    /// Storage, Key Vault, Resource Manager, Monitor.
    Service,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The connection broke, or a deadline passed, after the request may have arrived.
    Broken,
    /// No connection: the request certainly did not arrive.
    Unconnected,
    /// An answer with this status.
    Status(u16),
}

/// Whether doing it twice is like doing it once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Repeat {
    /// A second time does something else: start a run.
    Differs,
    /// A second time does the same.
    Same,
}

impl Repeat {
    /// What HTTP promises of a method: RFC 9110, section 9.2.2.
    #[must_use]
    pub const fn of(method: azure_core::http::Method) -> Self {
        use azure_core::http::Method;
        match method {
            Method::Delete | Method::Get | Method::Head | Method::Put => Self::Same,
            _ => Self::Differs,
        }
    }
}

/// One rule: for these statuses, try so often, waiting so long.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Whom the rule is about.
    pub party: Party,
    /// Statuses that it is about.
    pub statuses: &'static [u16],
    /// How many attempts there are in all.
    pub attempts: u32,
    /// How long the first wait is.
    pub first: Duration,
    /// What each wait is multiplied by to give the next.
    pub factor: u32,
    /// Whether a request that differs when repeated is repeated, too: the status says that nothing was done.
    pub undone: bool,
    /// Where the rule comes from.
    pub source: &'static str,
}

/// All rules. What no rule speaks of is not repeated.
pub const RULES: [Rule; 5] = [
    Rule {
        party: Party::Metadata,
        statuses: &[410],
        attempts: 8,
        first: Duration::from_secs(10),
        factor: 1,
        undone: true,
        source: "Microsoft Entra, how to use a VM token: 410 is gone within 70 s; MSAL: every 10 s, 7 times",
    },
    Rule {
        party: Party::Metadata,
        statuses: &[
            404, 408, 429, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
        ],
        attempts: 4,
        first: Duration::from_secs(1),
        factor: 2,
        undone: true,
        source: "Microsoft Entra, how to use a VM token, table of retries; MSAL: 3 repetitions, 1-2-4 s",
    },
    Rule {
        party: Party::Service,
        statuses: &[429],
        attempts: 6,
        first: Duration::from_secs(1),
        factor: 2,
        undone: true,
        source: "Azure Resource Manager, throttling: nothing was done, wait for Retry-After",
    },
    Rule {
        party: Party::Service,
        statuses: &[503],
        attempts: 5,
        first: Duration::from_millis(800),
        factor: 2,
        undone: false,
        source: "Storage, error codes: ServerBusy is 503, ask less often; Retry-After of RFC 9110",
    },
    Rule {
        party: Party::Service,
        statuses: &[408, 500, 502, 504],
        attempts: 4,
        first: Duration::from_millis(800),
        factor: 2,
        undone: false,
        source: "Azure architecture, retry guidance for services: transient; the defaults of azure_core",
    },
];

/// What holds for requests that were not answered.
const UNANSWERED: Rule = Rule {
    party: Party::Service,
    statuses: &[],
    attempts: 4,
    first: Duration::from_millis(800),
    factor: 2,
    undone: false,
    source: "azure_core: errors of the connection are repeated",
};

/// Longest wait between two attempts that is not asked for by the service.
const LONGEST: Duration = Duration::from_secs(30);

/// Says how long to wait before the next attempt, or that there is none.
///
/// `attempt` counts from one and is the one that just failed. `asked` is the service's `Retry-After`. What
/// the service asks for is never cut short: whoever has no time for it must give up instead.
#[must_use]
pub fn delay(
    party: Party,
    repeat: Repeat,
    outcome: Outcome,
    attempt: u32,
    asked: Option<Duration>,
) -> Option<Duration> {
    let rule = match outcome {
        Outcome::Status(status) => RULES
            .iter()
            .find(|rule| rule.party == party && rule.statuses.contains(&status))?,
        Outcome::Broken | Outcome::Unconnected => &UNANSWERED,
    };
    let allowed = repeat == Repeat::Same || rule.undone || outcome == Outcome::Unconnected;
    if !allowed || attempt >= rule.attempts {
        return None;
    }
    let factor = rule.factor.saturating_pow(attempt.saturating_sub(1));
    let own = rule.first.saturating_mul(factor).min(LONGEST);
    Some(asked.map_or(own, |asked| asked.max(own)))
}

/// Spreads a wait, so that many VMs that failed together do not come back together: up to a fifth longer.
#[must_use]
pub fn spread(wait: Duration, random: u8) -> Duration {
    wait.saturating_add(wait.saturating_mul(u32::from(random)) / (5 * 255))
}

/// Reads how long a service asks to wait: `x-ms-retry-after-ms`, `retry-after-ms`, or `retry-after` in
/// seconds or as a date.
#[must_use]
pub fn asked<'a>(
    header: impl Fn(&'static str) -> Option<&'a str>,
    now: time::OffsetDateTime,
) -> Option<Duration> {
    let milliseconds = |name| header(name)?.trim().parse().ok().map(Duration::from_millis);
    milliseconds("x-ms-retry-after-ms")
        .or_else(|| milliseconds("retry-after-ms"))
        .or_else(|| {
            let value = header("retry-after")?.trim();
            if let Ok(seconds) = value.parse() {
                return Some(Duration::from_secs(seconds));
            }
            let date = azure_core::time::parse_rfc7231(value).ok()?;
            // A date in the past asks for nothing.
            Some(Duration::try_from(date - now).unwrap_or(Duration::ZERO))
        })
}

#[cfg(test)]
mod tests {
    use azure_core::http::Method;

    use super::*;

    fn waits(party: Party, repeat: Repeat, outcome: Outcome) -> Vec<u128> {
        (1..)
            .map_while(|attempt| delay(party, repeat, outcome, attempt, None))
            .map(|wait| wait.as_millis())
            .collect()
    }

    #[test]
    fn the_metadata_service_is_given_seventy_seconds_while_it_is_being_updated() {
        let waits = waits(Party::Metadata, Repeat::Same, Outcome::Status(410));
        assert_eq!(waits.iter().sum::<u128>(), 70_000);
    }

    #[test]
    fn every_status_has_its_number_of_attempts() {
        for (party, status, expected) in [
            (Party::Metadata, 400, 0),
            (Party::Metadata, 401, 0),
            (Party::Metadata, 403, 0),
            (Party::Metadata, 404, 3),
            (Party::Metadata, 410, 7),
            (Party::Metadata, 429, 3),
            (Party::Metadata, 503, 3),
            (Party::Service, 400, 0),
            (Party::Service, 401, 0),
            (Party::Service, 403, 0),
            (Party::Service, 404, 0),
            (Party::Service, 408, 3),
            (Party::Service, 409, 0),
            (Party::Service, 412, 0),
            (Party::Service, 429, 5),
            (Party::Service, 500, 3),
            (Party::Service, 501, 0),
            (Party::Service, 502, 3),
            (Party::Service, 503, 4),
            (Party::Service, 504, 3),
        ] {
            let repetitions = waits(party, Repeat::Same, Outcome::Status(status)).len();
            assert_eq!(repetitions, expected, "{party:?} {status}");
        }
    }

    /// A gateway's 504 to the start of a run may come after the run was started.
    #[test]
    fn what_would_happen_twice_is_repeated_only_if_it_did_not_happen() {
        let waits = |outcome| waits(Party::Service, Repeat::Differs, outcome).len();

        assert_eq!(waits(Outcome::Status(500)), 0);
        assert_eq!(waits(Outcome::Status(503)), 0);
        assert_eq!(waits(Outcome::Status(504)), 0);
        assert_eq!(waits(Outcome::Broken), 0);
        assert_eq!(waits(Outcome::Status(429)), 5);
        assert_eq!(waits(Outcome::Unconnected), 3);
        assert_eq!(Repeat::of(Method::Post), Repeat::Differs);
        assert_eq!(Repeat::of(Method::Put), Repeat::Same);
    }

    #[test]
    fn what_the_service_asks_for_is_never_cut_short() {
        let asked = |seconds| {
            let asked = Some(Duration::from_secs(seconds));
            delay(Party::Service, Repeat::Same, Outcome::Status(429), 1, asked)
        };
        assert_eq!(asked(3600), Some(Duration::from_hours(1)));
        assert_eq!(asked(0), Some(Duration::from_secs(1)));
    }

    #[test]
    fn every_way_to_ask_for_patience_is_understood() {
        let now = time::OffsetDateTime::from_unix_timestamp(1_609_459_200).unwrap();
        let read = |name: &'static str, value: &'static str| {
            asked(|asked| (asked == name).then_some(value), now)
        };
        assert_eq!(read("retry-after", "17"), Some(Duration::from_secs(17)));
        assert_eq!(
            read("retry-after-ms", "250"),
            Some(Duration::from_millis(250))
        );
        assert_eq!(
            read("x-ms-retry-after-ms", "250"),
            Some(Duration::from_millis(250))
        );
        let date = read("retry-after", "Fri, 01 Jan 2021 00:00:10 GMT");
        assert_eq!(date, Some(Duration::from_secs(10)));
        let past = read("retry-after", "Thu, 31 Dec 2020 23:59:00 GMT");
        assert_eq!(past, Some(Duration::ZERO));
        assert_eq!(read("retry-after", "soon"), None);
        assert_eq!(read("retry-after", "-5"), None);
    }

    #[test]
    fn a_wait_is_spread_by_a_fifth_at_most() {
        let wait = Duration::from_secs(10);
        assert_eq!(spread(wait, 0), wait);
        assert_eq!(spread(wait, 255), Duration::from_secs(12));
    }
}
