//! What a build does before it makes a machine.

use std::fs;

use imagebuild::{
    build::{Place, StepResult, Work},
    recipe::Located,
};

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

/// Leaves a result in the work folder, as the steps before the last one do.
fn result(place: &Place, located: &Located, text: &str) -> (Work, StepResult) {
    let work = place.enter(located).unwrap();
    fs::create_dir_all(work.result()).unwrap();
    let disk = work.result().join("image.vhd");
    fs::write(&disk, text).unwrap();
    let vhd = StepResult::at(&disk).unwrap();
    (work, vhd)
}

#[test]
fn an_image_gets_its_name_whole_and_the_one_before_is_kept() {
    let desk = Desk::new();
    let located = Located::load(&desk.path("desk.toml")).unwrap();
    let place = Place::new(&desk.path("out"), &located);
    for text in ["first", "second", "third"] {
        let (work, vhd) = result(&place, &located, text);
        work.publish(&place, &vhd).unwrap();
        assert_eq!(
            fs::read_to_string(place.image().join("image.vhd")).unwrap(),
            text
        );
    }
    assert_eq!(
        fs::read_to_string(place.previous().join("image.vhd")).unwrap(),
        "second"
    );
    let names = fs::read_dir(desk.path("out")).unwrap();
    assert_eq!(
        names.count(),
        3,
        "the image, the one before, and the work folder"
    );
}

#[test]
fn a_rejected_image_does_not_touch_the_one_that_passed() {
    let desk = Desk::new();
    let located = Located::load(&desk.path("desk.toml")).unwrap();
    let place = Place::new(&desk.path("out"), &located);
    let (work, vhd) = result(&place, &located, "good");
    work.publish(&place, &vhd).unwrap();
    let (work, _) = result(&place, &located, "bad");
    work.reject(&place).unwrap();
    assert_eq!(
        fs::read_to_string(place.image().join("image.vhd")).unwrap(),
        "good"
    );
    assert_eq!(
        fs::read_to_string(place.rejected().join("image.vhd")).unwrap(),
        "bad"
    );
    assert!(place.rejected().ends_with("desk-1.0.0.rejected"));

    let (work, vhd) = result(&place, &located, "mended");
    work.publish(&place, &vhd).unwrap();
    assert!(
        !place.rejected().exists(),
        "what was rejected has been mended"
    );
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
