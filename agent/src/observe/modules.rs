//! Kernel modules: loaded, and kept from being loaded.

use policies::check::kernel_module::{KernelModule, KernelModuleFacts};
use policies::check::seen::{Located, Seen};

use super::layers::Text;
use super::seen;
use super::view::View;
use crate::host::Inspect;

/// Where modprobe looks, the strongest first (modprobe.d(5)).
pub const FOLDERS: [&str; 5] = [
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
];

const LOADED: &str = "/proc/modules";

/// The names of the modules that the running kernel has loaded. A kernel without modules has no list.
pub(crate) fn loaded(host: &impl Inspect) -> Seen<Vec<String>> {
    if !host.is_running() {
        return Seen::NotRunning;
    }
    seen(host.text(LOADED)).map(|text| {
        let names = text.lines().filter_map(|line| line.split(' ').next());
        names.map(str::to_owned).collect()
    })
}

pub(super) fn facts(check: &KernelModule, view: &View<'_, impl Inspect>) -> KernelModuleFacts {
    let name = check.name.as_str();
    let effective = match view.loaded_modules().as_ref() {
        Seen::Found(loaded) if loaded.iter().any(|module| module == name) => {
            Seen::Found(Located::new("loaded", LOADED))
        }
        Seen::Absent | Seen::Found(_) => Seen::Absent,
        other => other.map(|_| Located::new("", "")),
    };
    let blocked_by = match view.modprobe().as_ref() {
        Seen::Found(texts) => blocked_by(name, texts),
        other => other.map(|_| Located::new("", "")),
    };
    KernelModuleFacts {
        effective,
        blocked_by,
    }
}

/// The line that blocks a module: one that runs nothing in its place, or forbids to load it by itself. One
/// line that runs something else in its place, and it is not blocked.
pub(crate) fn blocked_by(name: &str, texts: &[Text]) -> Seen<Located> {
    let mut blocked = Seen::Absent;
    for text in texts {
        for (number, line) in text.lines() {
            let line = line.trim();
            let mut words = line.split_whitespace();
            let (keyword, module) = (words.next(), words.next());
            if module.is_none_or(|module| module.replace('-', "_") != name) {
                continue;
            }
            match (keyword, words.next()) {
                (Some("install"), Some(command)) if !runs_nothing(command) => return Seen::Absent,
                (Some("install" | "blacklist"), _) => {
                    blocked = Seen::Found(Located::new(line, text.at(number)));
                }
                _ => {}
            }
        }
    }
    blocked
}

fn runs_nothing(command: &str) -> bool {
    matches!(
        command,
        "/bin/false" | "/bin/true" | "/usr/bin/false" | "/usr/bin/true"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_is_blocked_unless_some_line_loads_it_after_all() {
        let blocked = |text: &str| {
            let text = Text {
                path: "/etc/modprobe.d/x.conf".to_owned(),
                text: text.to_owned(),
            };
            matches!(blocked_by("usb_storage", &[text]), Seen::Found(_))
        };
        assert!(blocked("install usb-storage /bin/false\n"));
        assert!(blocked("  blacklist usb_storage"));
        assert!(!blocked("# install usb-storage /bin/false\n"));
        assert!(!blocked("install usb-storage2 /bin/false\n"));
        assert!(!blocked("options usb_storage quirks=x\n"));
        assert!(!blocked(
            "install usb_storage /bin/false\ninstall usb_storage /sbin/modprobe -i usb_storage"
        ));
    }
}
