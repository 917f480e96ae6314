//! What a build does before it makes a machine.

use imagebuild::{build::Place, recipe::Located};

use crate::{desk::Desk, lock::lock};

#[test]
fn two_builds_of_one_recipe_at_once_are_refused_by_the_name_of_the_first() {
    let desk = Desk::new();
    lock(&desk);
    let located = Located::load(&desk.path("desk.toml")).unwrap();
    let first = Place::new(&desk.path("out"), &located)
        .enter(&located)
        .unwrap();
    let pid = std::process::id();
    desk.run(&["build", "desk.toml"]).is(
        3,
        &[
            &format!("failed to build `desk`: process {pid} is building it"),
            "hint: wait until it has ended",
        ],
    );
    drop(first);
    // A program that another test is just starting may hold the file for a moment longer.
    let free = || {
        Place::new(&desk.path("out"), &located)
            .enter(&located)
            .is_ok()
    };
    assert!((0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        free()
    }));
}

#[test]
fn a_plan_says_what_a_build_would_do_and_why() {
    let desk = Desk::new();
    let said = desk.run(&[
        "plan",
        "desk.toml",
        "--format",
        "json",
        "--detailed-exitcode",
    ]);
    assert_eq!(said.code, 1, "{said}");
    let plan: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let steps: Vec<_> = plan["steps"].as_array().unwrap().iter().collect();
    let names: Vec<_> = steps
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "lock", "stage", "base", "engine", "convert", "gate", "custody"
        ]
    );
    assert!(steps.iter().all(|step| step["needed"] == true));
    assert_eq!(steps[1]["why"], "no receipt for tool");
    assert_eq!(
        desk.run(&["plan", "desk.toml"]).code,
        0,
        "a plan is no failure unless asked"
    );
}
