//! Sockets that wait, as the kernel lists them (`Documentation/networking/proc_net_tcp.rst`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use policies::check::listening::Socket;
use policies::check::seen::Seen;
use policies::network::{Port, Protocol};

use crate::host::Inspect;

const TABLES: [(&str, Protocol, Presence); 4] = [
    ("/proc/net/tcp", Protocol::Tcp, Presence::Always),
    ("/proc/net/tcp6", Protocol::Tcp, Presence::WithIpv6),
    ("/proc/net/udp", Protocol::Udp, Presence::Always),
    ("/proc/net/udp6", Protocol::Udp, Presence::WithIpv6),
];

/// Whether the kernel always has a table.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Presence {
    Always,
    WithIpv6,
}

/// Every socket that waits.
pub(super) fn all(host: &impl Inspect) -> Seen<Vec<Socket>> {
    if !host.is_running() {
        return Seen::NotRunning;
    }
    let mut sockets = Vec::new();
    for (path, protocol, presence) in TABLES {
        match host.text(path) {
            Ok(None) if presence == Presence::WithIpv6 => {}
            Ok(None) => return Seen::Unreadable(format!("`{path}` is not there")),
            Ok(Some(text)) => match parse(&text, protocol) {
                Some(found) => sockets.extend(found),
                None => return Seen::Unreadable(format!("`{path}` is not understood")),
            },
            Err(error) => return Seen::Unreadable(error.chain()),
        }
    }
    sockets.sort();
    sockets.dedup();
    Seen::Found(sockets)
}

/// The sockets of a table that wait; none when the table is not understood.
fn parse(text: &str, protocol: Protocol) -> Option<Vec<Socket>> {
    let mut sockets = Vec::new();
    for line in text.lines().skip(1) {
        let mut fields = line.split_whitespace();
        let (local, remote, state) = (fields.nth(1)?, fields.next()?, fields.next()?);
        let waits = match protocol {
            // TCP_LISTEN
            Protocol::Tcp => state == "0A",
            // TCP_CLOSE stands for a socket that is bound and not connected.
            Protocol::Udp => state == "07" && endpoint(remote)?.1 == 0,
        };
        if waits {
            let (address, number) = endpoint(local)?;
            let port = Port { protocol, number };
            sockets.push(Socket { port, address });
        }
    }
    Some(sockets)
}

/// Addresses are written as words of 32 bits, each in the byte order of the machine.
fn endpoint(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |index: usize| {
        let digits = address.get(index * 8..index * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let bytes = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
        }
        _ => return None,
    };
    Some((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_sockets_are_found_with_their_addresses() {
        let tcp = "  sl  local_address rem_address   st tx_queue\n   \
                   0: 0100007F:0016 00000000:0000 0A 0:0\n   \
                   1: 00000000:0D3D 00000000:0000 0A 0:0\n   \
                   2: 0400000A:0016 0500000A:D431 01 0:0\n";
        let found: Vec<String> = parse(tcp, Protocol::Tcp)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, ["tcp/22 on 127.0.0.1", "tcp/3389 on 0.0.0.0"]);
        let tcp6 = "head\n 0: 0000000000000000FFFF00000100007F:0016 \
                    00000000000000000000000000000000:0000 0A x\n";
        assert_eq!(
            parse(tcp6, Protocol::Tcp).unwrap()[0].to_string(),
            "tcp/22 on ::ffff:127.0.0.1"
        );
        assert!(parse("head\ngarbage\n", Protocol::Tcp).is_none());
    }

    #[test]
    fn socket_of_this_test_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let number = listener.local_addr().unwrap().port();
        let text = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let found = parse(&text, Protocol::Tcp).unwrap();
        assert!(found.iter().any(|socket| socket.port.number == number));
    }
}
