//! What Packer says: lines of `time,target,type,data…` for programs.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write},
};

use crate::progress::Progress;

/// Listens to one build.
#[derive(Debug)]
pub(super) struct Story {
    log: File,
    steps: usize,
    done: usize,
    last: VecDeque<String>,
    errors: Vec<String>,
}

impl Story {
    /// The log gets everything; `steps` is how many scripts will run.
    pub(super) const fn new(log: File, steps: usize) -> Self {
        Self {
            log,
            steps,
            done: 0,
            last: VecDeque::new(),
            errors: Vec::new(),
        }
    }

    /// Hears one line.
    pub(super) fn hear(&mut self, line: &str, progress: &dyn Progress) -> io::Result<()> {
        let Some(said) = Said::parse(line) else {
            return Ok(());
        };
        for line in said.text.lines() {
            writeln!(self.log, "{line}")?;
            if self.last.len() == KEPT {
                self.last.pop_front();
            }
            self.last.push_back(line.to_owned());
        }
        if said.error {
            self.errors.push(said.text.clone());
        }
        let text = said.text.trim_start_matches("==>").trim();
        let text = text.strip_prefix("sealed.qemu.image: ").unwrap_or(text);
        if let Some(script) = text.strip_prefix("Provisioning with shell script: ") {
            let name = script.rsplit('/').next().unwrap_or(script);
            if !name.starts_with("packer-shell") {
                self.done += 1;
                progress.note(name);
            }
        } else if said.step {
            progress.note(text);
        }
        let count = |steps: usize| u64::try_from(steps).unwrap_or_default();
        progress.advance(count(self.done), count(self.steps + 1));
        Ok(())
    }

    /// Why it failed: its errors, after the last lines that went before them.
    pub(super) fn complaint(&self, stderr: &str) -> String {
        let mut complaint: Vec<_> = self.last.iter().map(String::as_str).collect();
        if self.errors.is_empty() {
            complaint.extend(stderr.lines());
        }
        complaint.join("\n").replace("sealed.qemu.image: ", "")
    }
}

/// One message.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Said {
    text: String,
    step: bool,
    error: bool,
}

impl Said {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(5, ',');
        let (_time, _target) = (fields.next()?, fields.next()?);
        let (kind, how, text) = (fields.next()?, fields.next()?, fields.next());
        let (how, text) = match kind {
            "ui" => (how, text?),
            // Of each build that failed: `…,error,TEXT`.
            "error" => ("error", how),
            _ => return None,
        };
        Some(Self {
            text: text
                .replace("%!(PACKER_COMMA)", ",")
                .replace("\\r", "")
                .replace("\\n", "\n")
                .trim_end()
                .to_owned(),
            step: how == "say" && text.starts_with("==>"),
            error: how == "error",
        })
    }
}

/// How many lines an error shows.
const KEPT: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_line_ends_are_put_back() {
        let said = Said::parse("1,,ui,message,    a: one%!(PACKER_COMMA) two\\nthree").unwrap();
        assert_eq!(said.text, "    a: one, two\nthree");
        assert!(!said.step && !said.error);
    }

    #[test]
    fn lines_that_tell_nothing_are_passed_over() {
        for line in ["", "1,,version,1.6.6", "nonsense", "1,a,artifact-count,1"] {
            assert_eq!(Said::parse(line), None, "{line}");
        }
    }

    #[test]
    fn an_error_shows_what_went_before_it() {
        let mut story = Story::new(tempfile::tempfile().unwrap(), 1);
        for line in [
            "1,,ui,message,    image: dpkg: no space left",
            "1,,ui,error,==> image: Script exited with non-zero exit status: 1",
        ] {
            story.hear(line, &crate::progress::Silent).unwrap();
        }
        let complaint = story.complaint("not asked");
        assert!(complaint.contains("no space left") && complaint.contains("exit status: 1"));
        assert!(!complaint.contains("not asked"));
    }
}
