//! Programs of a host in memory.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Answer, Fake, FakeUnit, Order, Question, What};
use crate::host::Inspect as _;

impl Fake {
    pub(super) fn answer(&self, question: &Question) -> Answer {
        match question {
            Question::Firewall => match &self.loaded {
                Some(rules) => good(&serde_json::json!({"nftables": rules.listing()}).to_string()),
                None => bad("Error: No such file or directory"),
            },
            Question::Sshd(_) => good(&self.sshd_options()),
            Question::FirewallTakes(_)
            | Question::SshdTakes(_)
            | Question::SshdStarts
            | Question::SudoersTakes(_) => {
                if self.refuses {
                    bad("syntax error")
                } else {
                    good("")
                }
            }
            Question::Units(names) => {
                let mut out = String::new();
                for name in names {
                    let name = name.as_str();
                    let (load, active, file) = match self.units.get(name) {
                        Some(unit) => ("loaded", unit.active.as_str(), unit.file.as_str()),
                        None => ("not-found", "inactive", ""),
                    };
                    writeln!(
                        out,
                        "Id={name}\nNames={name}\nLoadState={load}\nActiveState={active}\nUnitFileState={file}\n"
                    )
                    .unwrap_or_default();
                }
                good(&out)
            }
        }
    }

    /// The first value wins; the drop-ins come before the rest of the file, as in Debian's.
    fn sshd_options(&self) -> String {
        let folder = "/etc/ssh/sshd_config.d";
        let names = self.list(folder).ok().flatten().unwrap_or_default();
        let mut files: Vec<String> = names
            .iter()
            .map(|name| format!("{folder}/{name}"))
            .collect();
        files.push("/etc/ssh/sshd_config".to_owned());
        let mut options = BTreeMap::new();
        for text in files.iter().filter_map(|path| self.contents(path)) {
            for line in text.lines().take_while(|line| !line.starts_with("Match")) {
                if let Some((name, value)) = line.trim().split_once(' ')
                    && !name.starts_with('#')
                {
                    let value = value.trim().to_owned();
                    options.entry(name.to_ascii_lowercase()).or_insert(value);
                }
            }
        }
        for (name, value) in &self.sshd_defaults {
            options.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let line = |(name, value): (&String, &String)| format!("{name} {value}\n");
        options.iter().map(line).collect::<Vec<_>>().concat()
    }

    pub(super) fn obey(&mut self, order: &Order) -> Result<(), String> {
        match order {
            Order::Enable(name) => {
                self.set(name.as_str(), |unit| "enabled".clone_into(&mut unit.file))
            }
            Order::Disable(name) | Order::Unmask(name) => {
                self.set(name.as_str(), |unit| "disabled".clone_into(&mut unit.file))
            }
            Order::Mask(name) => {
                let masked = FakeUnit {
                    active: "inactive".to_owned(),
                    file: "masked".to_owned(),
                };
                let unit = self.units.entry(name.to_string()).or_insert(masked);
                "masked".clone_into(&mut unit.file);
                Ok(())
            }
            Order::Start(name) => {
                self.set(name.as_str(), |unit| "active".clone_into(&mut unit.active))
            }
            Order::Stop(name) => self.set(name.as_str(), |unit| {
                "inactive".clone_into(&mut unit.active);
            }),
            Order::Reload(name) => self.set(name.as_str(), |_| ()),
            Order::ReloadUnits => Ok(()),
            Order::LoadFirewall => self.load_firewall(),
            Order::Remount { path, options } => self.edit("/proc/self/mountinfo", |line| {
                let mut fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
                if let [_, _, _, _, mounted, own, ..] = fields.as_mut_slice()
                    && mounted == path
                {
                    own.push(',');
                    own.push_str(options);
                }
                Some(fields.join(" "))
            }),
            Order::UnloadModule(name) => self.edit("/proc/modules", |line| {
                let is_it = line.split(' ').next() == Some(name);
                (!is_it).then(|| line.to_owned())
            }),
        }
    }

    fn set(&mut self, name: &str, change: impl FnOnce(&mut FakeUnit)) -> Result<(), String> {
        let unit = self
            .units
            .get_mut(name)
            .ok_or(format!("Unit {name} not found."))?;
        change(unit);
        Ok(())
    }

    fn edit(&mut self, path: &str, line: impl Fn(&str) -> Option<String>) -> Result<(), String> {
        let text = self.contents(path).ok_or("no such file")?;
        let lines: Vec<String> = text.lines().filter_map(line).collect();
        if let Some(node) = self.nodes.get_mut(path) {
            let text = lines.join("\n") + if lines.is_empty() { "" } else { "\n" };
            node.what = What::File(text.into_bytes());
        }
        Ok(())
    }
}

fn good(out: &str) -> Answer {
    Answer {
        code: Some(0),
        out: out.to_owned(),
        complaint: String::new(),
    }
}

fn bad(complaint: &str) -> Answer {
    Answer {
        code: Some(1),
        out: String::new(),
        complaint: complaint.to_owned(),
    }
}
