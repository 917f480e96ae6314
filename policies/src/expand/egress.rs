//! Where the machine may send packets.

use crate::check::{Check, Firewall};
use crate::control::{Phase, Severity};
use crate::expand::Draft;
use crate::policy::{Mode, Policy};
use crate::verdict::Grade;

/// The controls of `[egress]` and `[metadata]`. There is one table and one file for both, so both hold the
/// same demand and each says what it is for.
pub(super) fn expand(policy: &Policy) -> Vec<Draft> {
    let check = || {
        Check::Firewall(Firewall {
            egress: policy.egress.clone(),
            metadata: policy.metadata.clone(),
        })
    };
    let egress = policy.egress.as_ref().map(|egress| Draft {
        id: "EGRESS-FIREWALL".to_owned(),
        title: match egress.mode {
            Mode::Audit => "Packets to other than allowed destinations are counted",
            Mode::Enforce => "Packets leave for allowed destinations only",
        }
        .to_owned(),
        severity: Severity::Critical,
        rationale: "Whatever can be reached can be sent to. Destinations, ports and accounts that may be \
                    reached are listed; everything else is refused by the kernel, for IPv4 and IPv6 alike.",
        references: &[
            "nist-800-53:AC-4",
            "nist-800-53:SC-7(5)",
            "nist-800-171:3.13.6",
            "hipaa:164.312(e)(1)",
            "satre:2.2.11",
        ],
        phase: Phase::Image,
        grade: Grade::Enforced,
        check: check(),
    });
    let metadata = policy.metadata.as_ref().map(|_| Draft {
        id: "META-FIREWALL".to_owned(),
        title: "Only listed accounts reach the instance metadata service".to_owned(),
        severity: Severity::Critical,
        rationale: "Whoever reaches the metadata service gets the machine's own token, and with it everything \
                    that the machine may read; the wire server hands out its configuration.",
        references: &[
            "nist-800-53:AC-6",
            "nist-800-53:IA-5",
            "nist-800-171:3.1.5",
            "hipaa:164.312(a)(1)",
        ],
        phase: Phase::Image,
        grade: Grade::Enforced,
        check: check(),
    });
    egress.into_iter().chain(metadata).collect()
}
