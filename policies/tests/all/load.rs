//! From text to a policy: layers, and what is refused.

use policies::load::{self, Error, Problem};
use policies::policy::Policy;
use proptest::prelude::*;

use crate::shipped::{self, words};

/// A policy with one control, and whatever else a test adds.
fn with(rest: &str) -> String {
    format!("schema = 1\nname = \"x\"\n{rest}")
}

fn control(id: &str, key: &str, demand: &str) -> String {
    format!(
        "[[control]]\nid = \"{id}\"\ntitle = \"t\"\nseverity = \"low\"\nrationale = \"r\"\n\
         check.sysctl = {{ key = \"{key}\", {demand} }}\n"
    )
}

fn load(text: &str, layers: &[(&str, &str)], fragments: &[&str]) -> Result<Policy, Error> {
    let fragments: Vec<(String, String)> = fragments
        .iter()
        .enumerate()
        .map(|(number, text)| (format!("{number}.toml"), (*text).to_owned()))
        .collect();
    load::load("policy.toml", text, &fragments, &|wanted| {
        layers
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| "there is no such policy".to_owned())
    })
}

fn refused(text: &str) -> Error {
    load(text, &[], &[]).unwrap_err()
}

#[test]
fn unknown_key_names_its_place_and_what_was_meant() {
    let text = with(&control("KRN-1", "kernel.x", "equals = \"1\"").replace("severity", "sevrity"));
    insta::assert_snapshot!(words(&refused(&text)), @r"
    policy `policy.toml` is not valid
      cause: line 6, column 1: unknown field `sevrity`, expected one of `id`, `title`, `severity`, `rationale`, `references`, `phase`, `grade`, `check`, `override`
      hint: did you mean `severity`?
    ");
}

#[test]
fn unknown_section_kind_and_word_are_understood() {
    let kind = with(&control("KRN-1", "kernel.x", "equals = \"1\"").replace("sysctl", "sysclt"));
    assert_eq!(refused(&kind).hint(), Some("did you mean `sysctl`?"));
    // Here serde names no known words, because a demand is read by a type of its own.
    let word = with(&control(
        "KRN-1",
        "kernel.x",
        "equals = \"1\", optinal = true",
    ));
    assert_eq!(refused(&word).hint(), Some("did you mean `optional`?"));
    let section = with("[egres]\nmode = \"audit\"");
    assert_eq!(refused(&section).hint(), Some("did you mean `egress`?"));
    let value = with("[egress]\nmode = \"enforced\"");
    assert_eq!(refused(&value).hint(), Some("did you mean `enforce`?"));
}

#[test]
fn wrong_type_names_its_place() {
    let text = with("[egress]\nmode = \"audit\"\nresolvers = \"1.1.1.1\"");
    let error = refused(&text);
    assert_eq!(error.place().unwrap().to_string(), "line 5, column 13");
    assert_eq!(error.file(), "policy.toml");
}

/// Whatever else looks wrong is right in a format that this program does not know.
#[test]
fn unknown_schema_is_told_before_anything_else() {
    for schema in ["2", "0", "\"1\"", "1.0", "-1", "99999999999999999999999"] {
        let text = format!("sevrity = 1\nschema = {schema}\n[[controls]]\nx = 1");
        assert_eq!(
            *refused(&text).problem(),
            Problem::UnknownSchema,
            "{schema}"
        );
    }
    assert_eq!(*refused("name = \"x\"").problem(), Problem::NoSchema);
    assert!(matches!(
        refused("schema =").problem(),
        Problem::Syntax { .. }
    ));
}

#[test]
fn policy_that_demands_nothing_is_refused() {
    assert_eq!(*refused(&with("")).problem(), Problem::Empty);
    assert!(load(&with("[researchers]\ngroups = [\"a\"]"), &[], &[]).is_err());
}

#[test]
fn waiver_needs_a_control_a_reason_an_approver_and_an_end() {
    let good =
        "[[waiver]]\ncontrol = \"KRN-1\"\nreason = \"r\"\napprover = \"a\"\nexpires = 2027-01-31\n";
    let base = with(&control("KRN-1", "kernel.x", "equals = \"1\""));
    assert!(load(&format!("{base}{good}"), &[], &[]).is_ok());
    for missing in ["control", "reason", "approver", "expires"] {
        let lines: Vec<&str> = good
            .lines()
            .filter(|line| !line.starts_with(missing))
            .collect();
        let error = refused(&format!("{base}{}", lines.join("\n")));
        assert!(
            words(&error).contains(&format!("missing field `{missing}`")),
            "{missing}"
        );
    }
    for blank in ["reason = \"r\"", "approver = \"a\""] {
        let key = blank.split(' ').next().unwrap();
        let error = refused(&format!(
            "{base}{}",
            good.replace(blank, &format!("{key} = \" \""))
        ));
        assert_eq!(words(&error).lines().count(), 2, "{}", words(&error));
        assert!(matches!(error.problem(), Problem::Blank { .. }), "{blank}");
    }
    let error = refused(&format!("{base}{}", good.replace("KRN-1", "KRN-2")));
    insta::assert_snapshot!(words(&error), @r"
    policy `policy.toml` is not valid
      cause: line 9, column 1: the waiver is for KRN-2, and the policy has no such control
      hint: did you mean `KRN-1`?
    ");
}

#[test]
fn control_of_an_earlier_layer_changes_only_on_purpose() {
    let low = with(&control("KRN-1", "kernel.x", "equals = \"1\""));
    let layers = [("low", low.as_str())];
    let high = |demand: &str, rest: &str| {
        with(&format!(
            "extends = [\"low\"]\n{}{rest}",
            control("KRN-1", "kernel.x", demand)
        ))
    };
    assert!(
        load(&high("equals = \"1\"", ""), &layers, &[]).is_ok(),
        "the same again"
    );
    let error = load(&high("equals = \"2\"", ""), &layers, &[]).unwrap_err();
    insta::assert_snapshot!(words(&error), @r"
    policy `policy.toml` is not valid
      cause: line 4, column 1: KRN-1 is there already, in `low`, and demands something else
      hint: to replace it, write `override = true` into the later one
    ");
    let policy = load(&high("equals = \"2\"", "override = true"), &layers, &[]).unwrap();
    assert_eq!(policy.controls.len(), 1);
    let text = high("equals = \"2\"", "override = true").replace("KRN-1", "KRN-3");
    let error = load(&text, &layers, &[]).unwrap_err();
    assert_eq!(error.hint(), Some("did you mean `KRN-1`?"));
}

#[test]
fn two_controls_that_contradict_each_other_are_refused() {
    let text = with(&format!(
        "{}{}",
        control("KRN-1", "kernel.x", "equals = \"1\""),
        control("KRN-2", "kernel.x", "at-least = 2"),
    ));
    insta::assert_snapshot!(words(&refused(&text)), @r"
    policy `policy.toml` is not valid
      cause: line 9, column 1: KRN-1 and KRN-2 contradict each other: both are about kernel parameter kernel.x
      hint: keep one of them, or let the later one replace the earlier: same id and `override = true`
    ");
    let agreeing = text.replace("at-least = 2", "at-least = 1");
    assert!(load(&agreeing, &[], &[]).is_ok());
}

#[test]
fn contradiction_is_told_where_the_later_layer_stands() {
    let low = with(&control("KRN-9", "kernel.x", "equals = \"1\""));
    let text = with(&format!(
        "extends = [\"low\"]\n{}",
        control("KRN-1", "kernel.x", "equals = \"2\"")
    ));
    let layers = [("low", low.as_str())];
    assert_eq!(load(&text, &layers, &[]).unwrap_err().file(), "policy.toml");
    let base = with("extends = [\"low\"]");
    let fragment = format!(
        "schema = 1\n{}",
        control("KRN-1", "kernel.x", "equals = \"2\"")
    );
    assert_eq!(
        load(&base, &layers, &[&fragment]).unwrap_err().file(),
        "0.toml"
    );
}

#[test]
fn section_contradicts_a_control_as_another_control_would() {
    let open = "[channels]\n[researchers]\ngroups = [\"r\"]\n[[control]]\nid = \"RDP-1\"\ntitle = \"t\"\nseverity = \"low\"\nrationale = \"r\"\n\
                check.ini = { path = \"/etc/xrdp/xrdp.ini\", section = \"Channels\", key = \"cliprdr\", equals = \"true\" }\n";
    assert!(matches!(
        refused(&with(open)).problem(),
        Problem::Contradiction { .. }
    ));
}

#[test]
fn areas_of_sections_are_not_written_by_hand() {
    let error = refused(&with(&control("EGRESS-1", "kernel.x", "equals = \"1\"")));
    assert!(matches!(
        error.problem(),
        Problem::Reserved {
            section: "[egress]",
            ..
        }
    ));
}

#[test]
fn layers_that_extend_each_other_are_refused() {
    let one = with("extends = [\"two\"]");
    let two = with("extends = [\"one\"]");
    let layers = [("one", one.as_str()), ("two", two.as_str())];
    let error = load(&with("extends = [\"one\"]"), &layers, &[]).unwrap_err();
    insta::assert_snapshot!(words(&error), @r"
    policy `two` is not valid
      cause: line 3, column 12: policies extend each other: one → two → one
    ");
}

#[test]
fn layer_that_two_others_extend_counts_once() {
    let base = with(&control("KRN-1", "kernel.x", "equals = \"1\""));
    let left = with("extends = [\"base\"]");
    let right = with(&format!(
        "extends = [\"base\"]\n{}override = true",
        control("KRN-1", "kernel.x", "equals = \"2\"")
    ));
    let layers = [
        ("base", base.as_str()),
        ("left", left.as_str()),
        ("right", right.as_str()),
    ];
    let there = load(&with("extends = [\"left\", \"right\"]"), &layers, &[]).unwrap();
    let back = load(&with("extends = [\"right\", \"left\"]"), &layers, &[]).unwrap();
    assert_eq!(there.digest(), back.digest());
}

#[test]
fn extends_cannot_climb() {
    for bad in [
        "../x",
        "/etc/passwd",
        "baseline/../x",
        "",
        "a//b",
        ".hidden",
        "a\\nb",
        "-x",
    ] {
        let error = refused(&with(&format!("extends = [\"{bad}\"]")));
        assert!(matches!(error.problem(), Problem::Extends { .. }), "{bad}");
    }
}

#[test]
fn missing_layer_is_told_where_it_is_named() {
    let error = refused(&with("extends = [\"baseline/none\"]"));
    insta::assert_snapshot!(words(&error), @r"
    policy `policy.toml` is not valid
      cause: line 3, column 12: cannot extend `baseline/none`: there is no such policy
    ");
}

#[test]
fn later_section_replaces_the_earlier_one_as_a_whole() {
    let base = with(
        "[egress]\nmode = \"enforce\"\nresolvers = [\"10.0.0.4\"]\n[researchers]\ngroups = [\"r\"]",
    );
    let fragment = "schema = 1\n[egress]\nmode = \"audit\"";
    let policy = load(&base, &[], &[fragment]).unwrap();
    assert!(policy.egress.unwrap().resolvers.is_empty());
}

#[test]
fn fragment_has_no_name_and_a_policy_has_one() {
    let base = with(&control("KRN-1", "kernel.x", "equals = \"1\""));
    let error = load(&base, &[], &["schema = 1\nname = \"y\""]).unwrap_err();
    assert_eq!(*error.problem(), Problem::FragmentName);
    assert_eq!(error.file(), "0.toml");
    assert_eq!(*refused("schema = 1").problem(), Problem::NoName);
}

#[test]
fn demands_on_researchers_need_researchers() {
    let membership = "[[control]]\nid = \"ACC-1\"\ntitle = \"t\"\nseverity = \"low\"\nrationale = \"r\"\n\
                      check.membership = { group = \"sudo\", none-of = \"researchers\" }\n";
    assert!(matches!(
        refused(&with(membership)).problem(),
        Problem::NoResearchers { .. }
    ));
    assert!(matches!(
        refused(&with("[channels]")).problem(),
        Problem::NoResearchers { .. }
    ));
}

#[test]
fn mounts_share_neither_name_nor_path() {
    let mount = |name: &str, path: &str| {
        format!(
            "[[mount]]\nname = \"{name}\"\naccount = \"stsecure\"\ncontainer = \"import\"\n\
             path = \"{path}\"\naccess = \"read-only\"\n"
        )
    };
    let two = |a: String, b: String| load(&with(&format!("{a}{b}")), &[], &[]);
    assert!(two(mount("a", "/mnt/a"), mount("b", "/mnt/b")).is_ok());
    for (name, path) in [("a", "/mnt/b"), ("b", "/mnt/a")] {
        let error = two(mount("a", "/mnt/a"), mount(name, path)).unwrap_err();
        assert!(matches!(error.problem(), Problem::MountTwice { .. }));
    }
    // Names that differ only in what an id cannot hold keep their own controls.
    let policy = two(mount("a.b", "/mnt/a"), mount("a_b", "/mnt/b")).unwrap();
    assert_eq!(policy.controls.len(), 2);
}

#[test]
fn policy_of_more_than_ten_megabytes_is_refused_with_its_size() {
    let comment = format!("#{}\n", "x".repeat(load::MOST_BYTES));
    insta::assert_snapshot!(words(&refused(&with(&comment))), @r"
    policy `policy.toml` is not valid
      cause: the text has 10485784 bytes, and a policy has at most 10485760
    ");
}

#[test]
fn policy_of_ten_megabytes_is_read() {
    let base = with(&control("KRN-1", "kernel.x", "equals = \"1\""));
    let line = "# filling\n";
    let text = format!(
        "{base}{}",
        line.repeat((load::MOST_BYTES - base.len()) / line.len())
    );
    assert!(load(&text, &[], &[]).is_ok());
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow() {
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let text = format!(
            "schema = 1\nx = {}1{}",
            open.repeat(100_000),
            close.repeat(100_000)
        );
        assert!(load(&text, &[], &[]).is_err());
    }
    let text = format!("schema = 1\n[{}a]\n", "a.".repeat(100_000));
    assert!(load(&text, &[], &[]).is_err());
}

#[test]
fn more_controls_than_anybody_can_answer_for_are_refused() {
    let mut text = with("");
    for number in 0..5000 {
        text.push_str(&control(
            &format!("KRN-{number}"),
            "kernel.x",
            "at-least = 1",
        ));
    }
    assert!(matches!(refused(&text).problem(), Problem::TooMany { .. }));
}

proptest! {
    #[test]
    fn random_text_never_panics(text in any::<String>()) {
        let _error = load(&text, &[], &[]);
        let _error = load(&with(&text), &[], &[&text]);
    }

    /// Bytes that lie close to a policy get further than bytes that do not.
    #[test]
    fn damaged_policy_never_panics(
        at in any::<prop::sample::Index>(),
        length in 0_usize..20,
        put in "[ -~\\n\"é]{0,8}",
    ) {
        let mut bytes = include_str!("policies/hipaa-research.toml").as_bytes().to_vec();
        let start = at.index(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, put.bytes());
        let text = String::from_utf8_lossy(&bytes);
        if let Err(error) = shipped::policy(&text) {
            prop_assert!(!words(&error).is_empty());
        }
    }
}
