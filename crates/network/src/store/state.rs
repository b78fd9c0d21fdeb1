//! The states of tasks, assignments and checks, as they are stored.

use crate::store::column::words;

words! {
    /// Where a task is.
    TaskState {
        /// It can be placed, once its back-off is over.
        Waiting = "waiting",
        /// A worker has it.
        Placed = "placed",
        /// It was reported, and is being checked or waits for a second worker.
        Checking = "checking",
        /// A report was accepted.
        Done = "done",
        /// It failed too often.
        Failed = "failed",
        /// Its job ended before it was done.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// Where an assignment is.
    AssignmentState {
        /// The worker has it until its deadline.
        Open = "open",
        /// Reported; the verdict is open.
        Reported = "reported",
        /// Right, and earned.
        Accepted = "accepted",
        /// Wrong.
        Rejected = "rejected",
        /// Could not be decided.
        Inconclusive = "inconclusive",
        /// The worker gave it back for a reason of its own.
        HandedBack = "handed_back",
        /// The worker gave it back and blames the task.
        Blamed = "blamed",
        /// Its deadline passed.
        Expired = "expired",
        /// Its job ended.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// What an assignment is for.
    Purpose {
        /// To do the task.
        First = "first",
        /// To do a reported task again, as a check.
        Second = "second",
    }
}

words! {
    /// Where a check is.
    CheckState {
        /// Asked for.
        Pending = "pending",
        /// The outputs agree.
        Match = "match",
        /// They do not.
        Mismatch = "mismatch",
        /// It is no longer needed.
        Void = "void",
    }
}

words! {
    /// Where a job is; the customer's view of it is `lull_network_api::customer::JobState`.
    JobStage {
        /// Some tasks are not done.
        Running = "running",
        /// All tasks are done.
        Done = "done",
        /// A task failed too often.
        Failed = "failed",
        /// The customer withdrew it.
        Withdrawn = "withdrawn",
    }
}

words! {
    /// Where a batch of payouts is; see `lull_settlement::sender::BatchState`.
    BatchStage {
        /// Fixed.
        Planned = "planned",
        /// Signed.
        Signed = "signed",
        /// Taken by an endpoint.
        Sent = "sent",
        /// Final, and done.
        Confirmed = "confirmed",
        /// Final, and undone.
        Failed = "failed",
        /// It can never be in a block.
        Expired = "expired",
    }
}

words! {
    /// Where a planned payout is; see `lull_settlement::sender::PayoutState`.
    PlanStage {
        /// To be put into a batch.
        Planned = "planned",
        /// In one.
        InBatch = "in_batch",
        /// The chain has paid it.
        Confirmed = "confirmed",
        /// It failed too often.
        Held = "held",
        /// It is the contributor's to claim.
        Left = "left",
    }
}

words! {
    /// Where a refund is; see `lull_settlement::sender::RefundState`.
    RefundStage {
        /// To be put into a batch.
        Planned = "planned",
        /// In one.
        InBatch = "in_batch",
        /// It has arrived.
        Paid = "paid",
        /// It could not be paid, and is the customer's again.
        Returned = "returned",
    }
}
