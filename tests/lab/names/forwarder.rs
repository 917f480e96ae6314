//! Stands before dnsmasq: writes down what is asked, and is slow or silent on demand.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use super::{BEHIND, Names};

/// Answers questions for good.
pub(in crate::lab) async fn forward(names: Names, socket: UdpSocket) {
    let socket = Arc::new(socket);
    let mut question = [0; 1500];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut question).await else {
            continue;
        };
        let question = question.iter().copied().take(length).collect::<Vec<u8>>();
        let (delay, silent) = {
            let mut state = names.state();
            state.asked.push(name(&question));
            (state.delay, state.silent)
        };
        if silent {
            continue;
        }
        let socket = Arc::clone(&socket);
        tokio::spawn(async move {
            if let Some(delay) = delay {
                sleep(delay).await;
            }
            // A question that dnsmasq does not answer stays unanswered: clients ask again.
            drop(ask(&socket, &question, from).await);
        });
    }
}

async fn ask(socket: &UdpSocket, question: &[u8], from: SocketAddr) -> std::io::Result<()> {
    let behind = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    behind.send_to(question, BEHIND).await?;
    let mut answer = [0; 4096];
    let length = timeout(Duration::from_secs(2), behind.recv(&mut answer)).await??;
    let answer: Vec<u8> = answer.into_iter().take(length).collect();
    socket.send_to(&answer, from).await.map(|_| ())
}

/// The name that a question asks for: labels follow the twelve bytes of the header.
fn name(question: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = question.get(12..).unwrap_or_default();
    while let [length, tail @ ..] = rest {
        let length = usize::from(*length);
        if length == 0 || tail.len() < length {
            break;
        }
        let (label, after) = tail.split_at(length);
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        rest = after;
    }
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn name_is_read_from_a_question() {
        let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04Blob\x05azure\x03net\0\0\x01\0\x01";
        assert_eq!(name(question), "blob.azure.net");
        assert_eq!(name(b"short"), "");
    }
}
