//! Connections that the service closes while their clients go on sending.

use smoltcp::wire::TcpControl;

use crate::dialogue::FAREWELL;
use crate::forge::Forged;
use crate::scene::{Client, Scene, Sent};

/// Sends bytes of a client, acknowledging what it has got.
fn say(scene: &mut Scene, client: &mut Client, bytes: &'static [u8]) -> Vec<Sent> {
    let segment = Forged {
        bytes,
        control: TcpControl::Psh,
        ..client.segment()
    };
    client.seq = client.seq.wrapping_add(bytes.len() as u32);
    scene.send([segment.frame()])
}

fn has(sent: &[Sent], control: TcpControl) -> bool {
    sent.iter().any(|it| it.control == control)
}

/// Lets the service say farewell to a client, which gets the reply. Returns the client and what was sent after that.
fn hung_up(scene: &mut Scene) -> (Client, Vec<Sent>) {
    let mut client = scene.connect(4000);
    let sent = say(scene, &mut client, &[FAREWELL]);
    assert!(sent.iter().any(|it| it.bytes == 1), "{sent:?}");
    client.ack = client.ack.wrapping_add(1);
    let sent = scene.send([client.segment().frame()]);
    (client, sent)
}

#[test]
fn who_sends_after_the_end_is_reset_once_it_has_the_end() {
    for takes_over in [false, true] {
        let mut scene = Scene::new();
        let (mut client, sent) = hung_up(&mut scene);
        assert!(has(&sent, TcpControl::Fin), "{sent:?}");
        // It may not have seen the end yet: what it sends is discarded.
        let sent = say(&mut scene, &mut client, b"more");
        assert!(!has(&sent, TcpControl::Rst), "{sent:?}");
        client.ack = client.ack.wrapping_add(1);
        let sent = scene.send([client.segment().frame()]);
        assert!(!has(&sent, TcpControl::Rst), "{sent:?}");
        if takes_over {
            scene.take_over();
        }
        let sent = say(&mut scene, &mut client, b"and more");
        assert!(has(&sent, TcpControl::Rst), "{sent:?}");
        assert!(!scene.is_connected(4000));
    }
}

#[test]
fn who_is_silent_after_the_end_is_not_reset() {
    let mut scene = Scene::new();
    let (mut client, _) = hung_up(&mut scene);
    client.ack = client.ack.wrapping_add(1);
    let end = Forged {
        control: TcpControl::Fin,
        ..client.segment()
    };
    let sent = scene.send([client.segment().frame(), end.frame()]);
    assert!(!has(&sent, TcpControl::Rst), "{sent:?}");
}
