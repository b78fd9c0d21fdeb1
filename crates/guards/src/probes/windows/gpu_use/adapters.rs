//! The adapters that Windows lists: by [DXGI](https://learn.microsoft.com/windows/win32/api/dxgi/), which numbers them as the
//! counters do and knows their names and memory; and where each sits, which only the kernel's interface for drivers tells.

use std::ffi::c_void;

use windows::Win32::Graphics::Dxgi::{CreateDXGIFactory1, DXGI_ADAPTER_FLAG_SOFTWARE, IDXGIFactory1};
use windows_sys::Wdk::Graphics::Direct3D::{
    D3DKMT_ADAPTERADDRESS, D3DKMT_CLOSEADAPTER, D3DKMT_OPENADAPTERFROMLUID, D3DKMT_QUERYADAPTERINFO,
    KMTQAITYPE_ADAPTERADDRESS,
};
use windows_sys::Win32::Foundation::{LUID, NTSTATUS};

use super::super::library;
use super::super::processes::text;
use crate::gpu_use::windows_counters::{Adapter, Luid, PciAddress};

/// No machine has more; a list that does not end is left.
const ADAPTERS_MAX: u32 = 64;

/// What the kernel tells of an adapter that sits on no bus.
const NO_BUS: u32 = u32::MAX;

/// All adapters that are none of software.
///
/// # Errors
/// When the system lists none.
pub(super) fn list() -> windows::core::Result<Vec<Adapter>> {
    #[allow(unsafe_code, reason = "adapters are only told by DXGI")]
    // SAFETY: nothing is pointed to.
    let factory: IDXGIFactory1 = unsafe { CreateDXGIFactory1()? };
    let mut adapters = Vec::new();
    for number in 0..ADAPTERS_MAX {
        #[allow(unsafe_code, reason = "adapters are only told by DXGI")]
        // SAFETY: nothing is pointed to but the interfaces, which live through the calls. The first failure is the list's end.
        let Ok(description) =
            (unsafe { factory.EnumAdapters1(number).and_then(|adapter| adapter.GetDesc1()) })
        else {
            break;
        };
        if description.Flags & DXGI_ADAPTER_FLAG_SOFTWARE.0 as u32 != 0 {
            continue;
        }
        let luid = description.AdapterLuid;
        adapters.push(Adapter {
            luid: Luid { high: luid.HighPart.cast_unsigned(), low: luid.LowPart },
            name: text(&description.Description),
            memory_bytes: description.DedicatedVideoMemory as u64,
            address: address(LUID { LowPart: luid.LowPart, HighPart: luid.HighPart }),
        });
    }
    Ok(adapters)
}

type OpenAdapter = unsafe extern "system" fn(*mut D3DKMT_OPENADAPTERFROMLUID) -> NTSTATUS;
type QueryAdapter = unsafe extern "system" fn(*mut D3DKMT_QUERYADAPTERINFO) -> NTSTATUS;
type CloseAdapter = unsafe extern "system" fn(*const D3DKMT_CLOSEADAPTER) -> NTSTATUS;

/// Where an adapter sits; `None` where that is not told.
fn address(luid: LUID) -> Option<PciAddress> {
    const LIBRARY: &str = "gdi32.dll";
    let open = library::function(LIBRARY, c"D3DKMTOpenAdapterFromLuid")?;
    let query = library::function(LIBRARY, c"D3DKMTQueryAdapterInfo")?;
    let close = library::function(LIBRARY, c"D3DKMTCloseAdapter")?;
    let mut told = D3DKMT_ADAPTERADDRESS::default();
    #[allow(unsafe_code, reason = "where an adapter sits is only told by the interface for drivers")]
    // SAFETY: the documentation gives the functions of these names these types. The pointers are to structures of the types
    // that are read or filled in, with the size of the one that is pointed to from within, and all live through the calls;
    // the adapter is closed once and not used after.
    let status = unsafe {
        let open: OpenAdapter = std::mem::transmute(open);
        let query: QueryAdapter = std::mem::transmute(query);
        let close: CloseAdapter = std::mem::transmute(close);
        let mut adapter = D3DKMT_OPENADAPTERFROMLUID { AdapterLuid: luid, hAdapter: 0 };
        if open(&raw mut adapter) < 0 {
            return None;
        }
        let mut question = D3DKMT_QUERYADAPTERINFO {
            hAdapter: adapter.hAdapter,
            Type: KMTQAITYPE_ADAPTERADDRESS,
            pPrivateDriverData: (&raw mut told).cast::<c_void>(),
            PrivateDriverDataSize: size_of::<D3DKMT_ADAPTERADDRESS>() as u32,
        };
        let status = query(&raw mut question);
        close(&D3DKMT_CLOSEADAPTER { hAdapter: adapter.hAdapter });
        status
    };
    let D3DKMT_ADAPTERADDRESS { BusNumber: bus, DeviceNumber: device, FunctionNumber: function } = told;
    (status >= 0 && bus != NO_BUS).then_some(PciAddress { bus, device, function })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_has_a_name_and_a_number_of_its_own() {
        // A machine without a GPU lists none, or cannot.
        let adapters = list().unwrap_or_default();
        println!("{adapters:?}");
        for adapter in &adapters {
            assert!(!adapter.name.is_empty(), "{adapters:?}");
            assert_ne!(adapter.luid, Luid { high: 0, low: 0 }, "{adapters:?}");
        }
    }
}
