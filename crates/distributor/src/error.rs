//! Why the program refuses.

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $sentence:literal;)*) => {
        /// Why the program refuses. The number is the `Custom` code of the failed transaction; they start at 100 so
        /// that they are not taken for the token program's or the system program's, which start at 0.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Error {
            $($(#[$doc])* $name = $code,)*
        }

        impl Error {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What happened, in a sentence.
            pub const fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)*
                }
            }
        }
    };
}

errors! {
    /// The instruction's bytes have no meaning.
    MalformedInstruction = 100, "The instruction's bytes have no meaning.";
    /// The instruction names fewer accounts than it needs.
    MissingAccount = 101, "The instruction names fewer accounts than it needs.";
    /// Somebody who must sign did not.
    MissingSignature = 102, "Somebody who must sign did not.";
    /// The account is not a network's, or not the one that this key derives.
    WrongNetwork = 103, "The account is not a network's, or not the one that this key derives.";
    /// The signer is not the network's authority.
    WrongAuthority = 104, "The signer is not the network's authority.";
    /// The token account is not the network's vault.
    WrongVault = 105, "The token account is not the network's vault.";
    /// The vault is not a usable account of this mint that the network's account alone controls.
    UnsuitableVault = 106, "The vault is not a usable account of this mint that the network's account alone controls.";
    /// The mint is not one of the classic token program.
    WrongMint = 107, "The mint is not one of the classic token program.";
    /// The network has an account already.
    AlreadyInitialized = 108, "The network has an account already.";
    /// The delay before withdrawals is shorter than the program allows.
    DelayTooShort = 109, "The delay before withdrawals is shorter than the program allows.";
    /// The epoch is not after the one that was posted last.
    StaleEpoch = 110, "The epoch is not after the one that was posted last.";
    /// The total is below one that was posted before.
    CommittedFell = 111, "The total is below one that was posted before.";
    /// The vault does not hold what would be owed.
    Uncovered = 112, "The vault does not hold what would be owed.";
    /// The proof does not lead from these earnings to the network's root.
    WrongProof = 113, "The proof does not lead from these earnings to the network's root.";
    /// The tokens would not go where they must.
    WrongDestination = 114, "The tokens would not go where they must.";
    /// The account is not that of claims of this worker to this wallet.
    WrongClaimAccount = 115, "The account is not that of claims of this worker to this wallet.";
    /// Everything that the proof shows was paid before.
    NothingToClaim = 116, "Everything that the proof shows was paid before.";
    /// Claims would exceed the total that was posted.
    OverCommitted = 117, "Claims would exceed the total that was posted.";
    /// No withdrawal is announced.
    NothingAnnounced = 118, "No withdrawal is announced.";
    /// The delay of the announced withdrawal has not passed.
    TooEarly = 119, "The delay of the announced withdrawal has not passed.";
    /// A withdrawal of nothing was announced.
    NothingToWithdraw = 120, "A withdrawal of nothing was announced.";
    /// A sum does not fit into 64 bits.
    Overflow = 121, "A sum does not fit into 64 bits.";
}

impl Error {
    /// The `Custom` code of a transaction that failed so.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The error with this code.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|error| error.code() == code)
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(self.sentence())
    }
}

impl core::error::Error for Error {}
