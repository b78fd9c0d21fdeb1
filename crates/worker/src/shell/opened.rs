//! What happens on a session, as the machine is told of it; streams that the network opens wait beside it.

use super::challenges::Challenges;
use super::shifts::Shifts;
use crate::machine::{Input, SessionId};
use crate::session::LinkEvent;

/// Where streams wait.
pub(super) struct Opened {
    pub challenges: Challenges,
    pub shifts: Shifts,
}

impl Opened {
    /// What the machine is told; nothing of a shift's stream, which is of an assignment that it knows.
    pub fn input(&self, session: SessionId, event: LinkEvent) -> Option<Input> {
        match event {
            LinkEvent::Opened => Some(Input::SessionOpened { session }),
            LinkEvent::Said(message) => Some(Input::NetworkSaid { session, message }),
            LinkEvent::Challenged(stream) => {
                let device = stream.device;
                Some(Input::ChallengeAsked { challenge: self.challenges.keep(stream), device })
            }
            LinkEvent::ShiftOpened(stream) => {
                self.shifts.keep(stream.assignment, stream);
                None
            }
            LinkEvent::Lost(fault) => Some(Input::SessionLost { session, fault }),
        }
    }
}
