//! A connection that can be cut: TCP handed on to another port of this machine.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the link lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Everything.
    Clear,
    /// Questions arrive, and their answers are lost: whoever asks does not know what became of it.
    Deaf,
    /// Nothing.
    Cut,
}

/// A link to a port. It is gone with this value.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    task: JoinHandle<()>,
}

impl Link {
    /// A link to `to`, in clear weather.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn to(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (weather, told) = watch::channel(Weather::Clear);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, to, told.clone()));
            }
        });
        Ok(Self { address, weather, task })
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather. Connections that were made in another weather end.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries one connection until either end closes it, or the weather changes.
async fn carry(mut near: TcpStream, to: SocketAddr, mut told: watch::Receiver<Weather>) {
    let weather = *told.borrow_and_update();
    let carried = async {
        match weather {
            Weather::Clear => {
                let mut far = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await?;
            }
            Weather::Deaf => {
                let mut far = TcpStream::connect(to).await?;
                let (mut questions, _unanswered) = near.split();
                let (mut answers, mut asked) = far.split();
                let mut first = [0; 1];
                tokio::select! {
                    sent = tokio::io::copy(&mut questions, &mut asked) => { sent?; }
                    // An answer begins, so the question has arrived.
                    read = answers.read(&mut first) => { read?; }
                }
                asked.shutdown().await?;
            }
            Weather::Cut => {}
        }
        std::io::Result::Ok(())
    };
    tokio::select! {
        // Whoever asks sees that the connection ended, and nobody else needs to know.
        _ = carried => {}
        _ = told.changed() => {}
    }
}
