//! Accounts in place: each is checked once and then read, and written, where the virtual machine laid it.

use core::ops::{Deref, DerefMut};

use lull_distributor::address::TOKEN_PROGRAM;
use lull_distributor::{ClaimAccount, Error, NetworkAccount};
use pinocchio::error::ProgramError;
use pinocchio::{AccountView, Address};

use crate::refused;

/// An address as the shared crate has it.
#[inline(always)]
pub fn bytes(address: &Address) -> &[u8; 32] {
    address.as_array()
}

/// Whether the account is at this address.
#[inline(always)]
pub fn is_at(account: &AccountView, address: &[u8; 32]) -> bool {
    bytes(account.address()) == address
}

/// Demands a signature.
#[inline(always)]
pub fn signed(account: &AccountView) -> Result<(), ProgramError> {
    if account.is_signer() { Ok(()) } else { Err(refused(Error::MissingSignature)) }
}

/// What the program keeps in an account of its own.
///
/// # Safety
/// The type has no invalid bytes, its layout has no gaps, and it is aligned to at most 8 bytes.
#[allow(unsafe_code, reason = "whoever implements it vouches for the layout")]
pub unsafe trait Kept: Sized {
    /// First byte of the account.
    const KIND: u8;
    /// Second byte of the account.
    const VERSION: u8;
}

#[allow(
    unsafe_code,
    reason = "integers and arrays of bytes only; the shared crate asserts that there are no gaps"
)]
// SAFETY: as the reason says.
unsafe impl Kept for NetworkAccount {
    const KIND: u8 = NetworkAccount::KIND;
    const VERSION: u8 = NetworkAccount::VERSION;
}

#[allow(
    unsafe_code,
    reason = "integers and arrays of bytes only; the shared crate asserts that there are no gaps"
)]
// SAFETY: as the reason says.
unsafe impl Kept for ClaimAccount {
    const KIND: u8 = ClaimAccount::KIND;
    const VERSION: u8 = ClaimAccount::VERSION;
}

/// An account that this program owns, of the right length.
pub struct Own<'a, T> {
    view: &'a mut AccountView,
    kept: core::marker::PhantomData<T>,
}

impl<'a, T: Kept> Own<'a, T> {
    /// An account of this kind, or `None`.
    #[inline(always)]
    pub fn check(view: &'a mut AccountView, program: &Address) -> Option<Self> {
        if !view.owned_by(program) || view.data_len() != size_of::<T>() {
            return None;
        }
        let own = Self { view, kept: core::marker::PhantomData };
        own.is_marked().then_some(own)
    }

    /// An account that was just created, whose bytes are zero.
    #[inline(always)]
    pub fn created(view: &'a mut AccountView, program: &Address, content: T) -> Option<Self> {
        if !view.owned_by(program) || view.data_len() != size_of::<T>() {
            return None;
        }
        let mut own = Self { view, kept: core::marker::PhantomData };
        *own = content;
        Some(own)
    }

    #[inline(always)]
    #[allow(unsafe_code, reason = "two bytes are read at once, as they lie")]
    fn is_marked(&self) -> bool {
        // SAFETY: the length was checked, and both layouts start with these two bytes.
        unsafe { self.view.data_ptr().cast::<[u8; 2]>().read() == [T::KIND, T::VERSION] }
    }

    /// Where it is.
    #[inline(always)]
    pub fn address(&self) -> &[u8; 32] {
        bytes(self.view.address())
    }
}

#[allow(
    unsafe_code,
    reason = "copying an account out and back would cost more than the rest of the instruction"
)]
impl<T: Kept> Deref for Own<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the length was checked; the runtime aligns data to 8 bytes; any bytes are a `T`. No account is held
        // twice: the two kinds differ in length, and no instruction takes two of one kind.
        unsafe { &*self.view.data_ptr().cast() }
    }
}

#[allow(unsafe_code, reason = "as for `Deref`")]
impl<T: Kept> DerefMut for Own<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `Deref`.
        unsafe { &mut *self.view.data_mut_ptr().cast() }
    }
}

/// A network's account.
#[inline(always)]
pub fn network<'a>(
    view: &'a mut AccountView,
    program: &Address,
) -> Result<Own<'a, NetworkAccount>, ProgramError> {
    Own::check(view, program).ok_or_else(|| refused(Error::WrongNetwork))
}

/// A network's account, for its authority, who signs.
#[inline(always)]
pub fn network_of<'a>(
    authority: &AccountView,
    view: &'a mut AccountView,
    program: &Address,
) -> Result<Own<'a, NetworkAccount>, ProgramError> {
    let network = network(view, program)?;
    if !is_at(authority, &network.authority) {
        return Err(refused(Error::WrongAuthority));
    }
    signed(authority)?;
    Ok(network)
}

/// Bytes of a classic token account.
const TOKEN_ACCOUNT_LEN: usize = 165;

/// The front of a classic token account.
#[repr(C)]
pub struct TokenAccount {
    /// Its token.
    pub mint: [u8; 32],
    /// Who can move its tokens.
    pub owner: [u8; 32],
    /// Base units.
    pub amount: u64,
}

/// The account as one of the classic token program, or `None`.
///
/// What is returned is as of now: do not keep it across a call that moves tokens.
#[inline(always)]
#[allow(unsafe_code, reason = "only the front is read, in place")]
pub fn token_account(account: &AccountView) -> Option<&TokenAccount> {
    if account.owner().as_array() != &TOKEN_PROGRAM || account.data_len() != TOKEN_ACCOUNT_LEN {
        return None;
    }
    // SAFETY: the account is longer than the front; the runtime aligns data to 8 bytes; any bytes are valid.
    Some(unsafe { &*account.data_ptr().cast() })
}

/// All bytes of a token account.
#[inline(always)]
#[allow(unsafe_code, reason = "the rest of a token account has no fields that are worth a type")]
pub fn token_account_bytes(account: &AccountView) -> Option<&[u8; TOKEN_ACCOUNT_LEN]> {
    token_account(account)?;
    // SAFETY: `token_account` checked the length.
    Some(unsafe { &*account.data_ptr().cast() })
}
