//! The part of the grammar of sudoers(5) that the rules need.

use std::collections::BTreeMap;

use super::People;

/// A line, understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Entry {
    /// Names for lists; only those of users matter.
    Alias {
        /// The users' aliases, each with its members.
        users: Vec<(String, Vec<String>)>,
    },
    /// Options.
    Defaults(Defaults),
    /// Somebody may do something.
    Privilege(Privilege),
}

/// A line of options.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Defaults {
    /// Whether it is for everybody.
    is_general: bool,
    /// The options, with `!` in front where they are turned off.
    options: Vec<String>,
}

/// A line that gives rights.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Privilege {
    /// Who.
    pub(super) users: Vec<String>,
    /// Whether some command needs no password.
    pub(super) without_password: bool,
}

impl Defaults {
    /// Says whether it turns an option on for everybody.
    pub(super) fn turn_on(&self, option: &str) -> bool {
        self.is_general && self.options.iter().any(|word| word == option)
    }

    /// Says whether it turns an option off for anybody.
    pub(super) fn turn_off(&self, option: &str) -> bool {
        let off = |word: &String| {
            word.strip_prefix('!')
                .is_some_and(|word| word.trim() == option)
        };
        self.options.iter().any(off)
    }
}

/// Understands a line; none when it is not of the grammar.
pub(super) fn parse(line: &str) -> Option<Entry> {
    let line = line.trim();
    let (head, rest) = line.split_at(line.find(char::is_whitespace)?);
    if let Some(scope) = head.strip_prefix("Defaults") {
        let is_scope = |scope: &str| scope.starts_with([':', '@', '>', '!']);
        if scope.is_empty() || is_scope(scope) {
            return Some(Entry::Defaults(Defaults {
                is_general: scope.is_empty(),
                options: split(rest, ','),
            }));
        }
    }
    match head {
        "User_Alias" => aliases(rest),
        "Cmnd_Alias" | "Cmd_Alias" | "Host_Alias" | "Runas_Alias" => {
            Some(Entry::Alias { users: Vec::new() })
        }
        _ => privilege(line).map(Entry::Privilege),
    }
}

fn aliases(text: &str) -> Option<Entry> {
    let alias = |part: String| {
        let (name, members) = part.split_once('=')?;
        Some((name.trim().to_owned(), split(members, ',')))
    };
    let users = split(text, ':')
        .into_iter()
        .map(alias)
        .collect::<Option<_>>()?;
    Some(Entry::Alias { users })
}

/// `users hosts = (runas) TAG: command, command : hosts = …`
fn privilege(line: &str) -> Option<Privilege> {
    let equals = find_outside_quotes(line, '=')?;
    let (left, right) = line.split_at(equals);
    // Users end where a word is followed by another without a comma between them: there the hosts begin.
    let mut users = String::new();
    let mut words = left.split_whitespace().peekable();
    while let Some(word) = words.next() {
        users.push_str(word);
        let goes_on = word.ends_with(',')
            || word == "!"
            || words.peek().is_some_and(|next| next.starts_with(','));
        if !goes_on {
            break;
        }
    }
    words.peek()?;
    let users = split(&users, ',');
    (!users.is_empty()).then(|| Privilege {
        users,
        without_password: has_tag(right, "NOPASSWD"),
    })
}

/// Says whether a list of commands has a tag: a word at the begin of a command, before a colon.
fn has_tag(commands: &str, tag: &str) -> bool {
    split(commands, ',').iter().any(|command| {
        let command = command.trim_start_matches('=').trim_start();
        let command = match command.strip_prefix('(') {
            Some(rest) => rest.split_once(')').map_or(rest, |(_, rest)| rest),
            // After `: hosts =` a new list begins.
            None => command.rsplit_once('=').map_or(command, |(_, rest)| rest),
        };
        let tags = command.split(':').map_while(|word| {
            let word = word.trim();
            let is_tag =
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            is_tag.then_some(word)
        });
        command.contains(':') && tags.into_iter().any(|word| word == tag)
    })
}

fn find_outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            c if c == wanted && !quoted => return Some(index),
            _ => {}
        }
    }
    None
}

/// Splits outside quotes and parentheses, behind no backslash; trims the parts and leaves empty ones out.
fn split(text: &str, separator: char) -> Vec<String> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_usize);
    let mut parts = vec![String::new()];
    for c in text.chars() {
        let mut ends = false;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            c => ends = c == separator && !quoted && depth == 0,
        }
        match parts.last_mut() {
            Some(part) if !ends => part.push(c),
            _ => parts.push(String::new()),
        }
    }
    parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect()
}

/// The users' aliases of all lines.
pub(super) fn user_aliases<'a>(
    entries: impl Iterator<Item = &'a Entry>,
) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::new();
    for entry in entries {
        if let Entry::Alias { users } = entry {
            all.extend(users.iter().cloned());
        }
    }
    all
}

/// Says whether a list of users could reach one of the people. What cannot be told from names alone, a
/// number or a netgroup, counts as reaching; exceptions with `!` are not trusted to keep anybody out.
pub(super) fn reaches(
    users: &[String],
    people: &People,
    aliases: &BTreeMap<String, Vec<String>>,
) -> bool {
    let mut left: Vec<&str> = users.iter().map(String::as_str).collect();
    let mut looked_up: Vec<&str> = Vec::new();
    while let Some(user) = left.pop() {
        let user = user.trim_matches('"');
        let reached = if let Some(group) = user.strip_prefix('%') {
            let is_number = group.starts_with('#');
            is_number && group != "%#0" || people.groups.iter().any(|name| name == group)
        } else if user.starts_with('!') {
            false
        } else if let Some(number) = user.strip_prefix('#') {
            number != "0"
        } else if user.starts_with('+') || user == "ALL" {
            true
        } else if let Some(members) = aliases.get(user) {
            if !looked_up.contains(&user) {
                looked_up.push(user);
                left.extend(members.iter().map(String::as_str));
            }
            false
        } else {
            people.accounts.iter().any(|name| name == user)
        };
        if reached {
            return true;
        }
    }
    false
}
