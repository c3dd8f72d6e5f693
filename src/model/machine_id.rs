//! Machine IDs that may not identify one machine: a warning for the admin, never a refusal.

use super::mac::{canonical_key, is_mac};

/// A machine ID with fewer characters is easy to guess.
const SHORT: usize = 4;

/// Prefixes of MAC addresses of virtual adapters, digits only.
const VIRTUAL: &[(&str, &str)] = &[
    ("000569", "VMware"),
    ("000c29", "VMware"),
    ("001c14", "VMware"),
    ("005056", "VMware"),
    ("080027", "VirtualBox"),
    ("0a0027", "VirtualBox"),
    ("00155d", "Hyper-V"),
    ("0003ff", "Virtual PC"),
    ("001c42", "Parallels"),
    ("00163e", "Xen"),
    ("525400", "QEMU"),
    ("00ff", "OpenVPN"),
    ("00059a3c7", "Cisco AnyConnect"),
    ("00090ffe0001", "FortiClient"),
    ("025041000001", "GlobalProtect"),
    ("02004c4f4f50", "the Windows loopback adapter"),
    ("204153594eff", "Windows remote access"),
    ("505054503030", "Windows PPTP"),
    ("33506f453030", "Windows PPPoE"),
];

/// Windows' WAN adapters end in the letters ` RAS`.
const REMOTE_ACCESS: &str = "20524153";

/// What manufacturers and programs write in place of a missing number; letters and digits only.
const PLACEHOLDERS: &[&str] = &[
    "0123456789abcdef",
    "baseboardserialnumber",
    "bsn12345678901234567",
    "bss0123456789",
    "chassisserialnumber",
    "default",
    "defaultstring",
    "empty",
    "error",
    "filledbyoem",
    "invalid",
    "mb1234567890",
    "na",
    "name",
    "nan",
    "noassetinformation",
    "none",
    "notapplicable",
    "notavailable",
    "notpresent",
    "notspecified",
    "null",
    "oem",
    "processorid",
    "productserialnumber",
    "ref",
    "serial",
    "serialnumber",
    "sn12345",
    "ssn12345678901234567",
    "standard",
    "sys1234567890",
    "systemproductname",
    "systemserialnumber",
    "tobefilledbyoem",
    "type1sku0",
    "type2boardserialnumber",
    "undefined",
    "unknown",
    "uuid",
    "value",
];

/// SMBIOS UUIDs that whole series of mainboards share, digits only, in both byte orders.
const SHARED_UUIDS: &[&str] = &[
    "000102030405060708090a0b0c0d0e0f",
    "030201000504070608090a0b0c0d0e0f",
    "00020003000400050006000700080009",
    "03000200040005000006000700080009",
    "07090201010303010807060504030201",
    "11111111222233334444555555555555",
    "123456781234567890abcddeefaabbcc",
    "785634123412785690abcddeefaabbcc",
    // Dell without a service tag.
    "4c4c454400002010802080c04f202020",
    "44454c4c00001020802080c04f202020",
    "58585858585858585858585858585858",
    "890e2d14cacd45d1ae66bc80e8bfeb0f",
    "8e275844178f44a8aceba7d7e5178c63",
    "dc698397fa544cf282c8b1b5307a6a7f",
    "fefefefefefefefefefefefefefefefe",
];

/// Why a machine ID may not identify one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineIdWarning {
    Zeros,
    /// For example the broadcast address.
    AllF,
    /// Another character, repeated.
    Repeated,
    /// A multicast MAC address, which no adapter has.
    Multicast,
    /// A MAC address that was not assigned by a manufacturer.
    LocallyAdministered,
    /// The MAC address of a virtual adapter, with the name of its software.
    VirtualAdapter(&'static str),
    /// Text in place of a missing number.
    Placeholder,
    /// A UUID that a whole series of mainboards shares.
    SharedUuid,
    /// The `ProcessorId` of WMI, which only identifies a model and its features.
    ProcessorModel,
    /// A number rounded by a spreadsheet program.
    Rounded,
    /// Fewer than [`SHORT`] characters.
    TooShort,
}

impl MachineIdWarning {
    /// What is wrong and what to do.
    pub fn message(self) -> String {
        let (problem, remedy) = match self {
            MachineIdWarning::Zeros => (
                "This machine ID is all zeros, as reported by machines without a network adapter \
                 or serial number.",
                OTHER_ID,
            ),
            MachineIdWarning::AllF => (
                "This machine ID is all F, as reported by machines without an identifier.",
                OTHER_ID,
            ),
            MachineIdWarning::Repeated => (
                "This machine ID repeats one character, as reported by machines without a serial \
                 number.",
                OTHER_ID,
            ),
            MachineIdWarning::Multicast => (
                "No network adapter has this MAC address. Some programs make one up at each start \
                 when they find no adapter, for example with Python's uuid.getnode().",
                OTHER_ID,
            ),
            MachineIdWarning::LocallyAdministered => (
                "This MAC address was not assigned by a manufacturer and may change. Windows' \
                 random hardware addresses, VPNs and virtual adapters use such addresses.",
                BUILT_IN_ADAPTER,
            ),
            MachineIdWarning::VirtualAdapter(maker) => {
                return format!(
                    "This MAC address belongs to a virtual adapter ({maker}). It may change, and \
                     other machines may have the same one. {BUILT_IN_ADAPTER}"
                );
            }
            MachineIdWarning::Placeholder => (
                "This is a placeholder for a missing serial number. Many machines report the \
                 same text.",
                OTHER_ID,
            ),
            MachineIdWarning::SharedUuid => (
                "The manufacturer gave this UUID to many mainboards, so other machines have it, \
                 too.",
                OTHER_ID,
            ),
            MachineIdWarning::ProcessorModel => (
                "This looks like a processor ID, which is the same for all processors of a model.",
                OTHER_ID,
            ),
            MachineIdWarning::Rounded => (
                "A spreadsheet has rounded this number, and its last digits are lost.",
                "Format the column as text and enter the machine ID again.",
            ),
            MachineIdWarning::TooShort => {
                return format!(
                    "A machine ID of fewer than {SHORT} characters is easy to guess and may not \
                     be unique. Ask the customer whether it is complete."
                );
            }
        };
        format!("{problem} {remedy}")
    }
}

const OTHER_ID: &str = "Ask the customer for a different machine ID.";
const BUILT_IN_ADAPTER: &str = "Ask the customer for the MAC address of a built-in adapter.";

/// Why this license key, in any spelling, may not identify one machine; usually empty.
pub fn warnings(license_key: &str) -> Vec<MachineIdWarning> {
    let key = canonical_key(license_key.trim());
    let letters = letters(&key);
    let content = repeated(&letters)
        .or_else(|| rounded(&key))
        .or_else(|| placeholder(&letters))
        .or_else(|| shared_number(&letters))
        .or_else(|| is_mac(&key).then(|| mac_address(&letters)).flatten());
    let length = (key.chars().count() < SHORT).then_some(MachineIdWarning::TooShort);
    content.into_iter().chain(length).collect()
}

/// The letters and digits in lower case; the whole key if it has none.
fn letters(key: &str) -> String {
    let letters: String = key.chars().filter(|c| c.is_alphanumeric()).collect();
    if letters.is_empty() {
        return key.to_owned();
    }
    letters.to_lowercase()
}

fn repeated(letters: &str) -> Option<MachineIdWarning> {
    let first = letters.chars().next()?;
    if letters.chars().any(|c| c != first) {
        return None;
    }
    Some(match first {
        '0' => MachineIdWarning::Zeros,
        'f' => MachineIdWarning::AllF,
        _ if letters.chars().nth(1).is_none() => return None,
        _ => MachineIdWarning::Repeated,
    })
}

/// `4.41E+11`, or with a decimal comma.
fn rounded(key: &str) -> Option<MachineIdWarning> {
    let (number, power) = key.split_once(['E', 'e'])?;
    let (whole, part) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let is_rounded = is_number(whole) && is_number(part) && is_number(power.strip_prefix('+')?);
    is_rounded.then_some(MachineIdWarning::Rounded)
}

fn placeholder(letters: &str) -> Option<MachineIdWarning> {
    (PLACEHOLDERS.contains(&letters) || counts_up(letters)).then_some(MachineIdWarning::Placeholder)
}

/// `123456789`, `0123456789` or `123456789012`, of at least four digits.
fn counts_up(letters: &str) -> bool {
    let follows = |pair: &[u8]| pair[1] == b'0' + (pair[0] - b'0' + 1) % 10;
    letters.len() >= 4
        && letters.starts_with(['0', '1'])
        && letters.bytes().all(|c| c.is_ascii_digit())
        && letters.as_bytes().windows(2).all(follows)
}

fn shared_number(letters: &str) -> Option<MachineIdWarning> {
    if SHARED_UUIDS.contains(&letters) {
        return Some(MachineIdWarning::SharedUuid);
    }
    let is_hex = letters.bytes().all(|c| c.is_ascii_hexdigit());
    // Feature bits that every processor of this century has: BFEBFBFF (Intel), 178BFBFF (AMD).
    let has_features = letters.get(3..8) == Some("bfbff");
    (letters.len() == 16 && is_hex && has_features).then_some(MachineIdWarning::ProcessorModel)
}

/// Takes the twelve digits of a MAC address.
fn mac_address(digits: &str) -> Option<MachineIdWarning> {
    if let Some((_, maker)) = VIRTUAL.iter().find(|(start, _)| digits.starts_with(start)) {
        return Some(MachineIdWarning::VirtualAdapter(maker));
    }
    if digits.ends_with(REMOTE_ACCESS) {
        return Some(MachineIdWarning::VirtualAdapter("Windows remote access"));
    }
    let first = u8::from_str_radix(digits.get(..2)?, 16).ok()?;
    match (first & 1, first & 2) {
        (1, _) => Some(MachineIdWarning::Multicast),
        (_, 2) => Some(MachineIdWarning::LocallyAdministered),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_are(warning: MachineIdWarning, keys: &[&str]) {
        for key in keys {
            assert_eq!(warnings(key), [warning], "{key}");
        }
    }

    #[test]
    fn a_real_machine_id_has_no_warning() {
        for key in [
            "00-1B-21-3C-4D-5E",
            "4C4C4544-0042-3510-8052-B3C04F4B4E32",
            "WD-WCC4E1234567",
            "E823_8FA6_BF53_0001.",
            "PC-MÜLLER",
            "1E5F",
            "S5H9NS0N",
        ] {
            assert_eq!(warnings(key), [], "{key}");
        }
    }

    #[test]
    fn a_repeated_character_is_not_a_number() {
        all_are(
            MachineIdWarning::Zeros,
            &["00:00:00:00:00:00", "0000-0000", "{0000}"],
        );
        all_are(
            MachineIdWarning::AllF,
            &["FF-FF-FF-FF-FF-FF", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
        );
        all_are(
            MachineIdWarning::Repeated,
            &["xXxX", "........", "11-11-11-11-11-11", "XX XX"],
        );
    }

    #[test]
    fn the_first_octet_reveals_groups_and_made_up_addresses() {
        all_are(
            MachineIdWarning::Multicast,
            &["01:00:5e:00:00:01", "0B1B2C3D4E5F"],
        );
        all_are(
            MachineIdWarning::LocallyAdministered,
            &["02-1B-2C-3D-4E-5F", "da1b.2c3d.4e5f"],
        );
    }

    #[test]
    fn a_virtual_adapter_is_known_by_its_manufacturer() {
        all_are(
            MachineIdWarning::VirtualAdapter("VMware"),
            &["00-50-56-C0-00-08"],
        );
        all_are(
            MachineIdWarning::VirtualAdapter("VirtualBox"),
            &["0a:00:27:00:00:0b"],
        );
        all_are(
            MachineIdWarning::VirtualAdapter("Hyper-V"),
            &["00155D010203"],
        );
        all_are(
            MachineIdWarning::VirtualAdapter("Windows remote access"),
            &["68:A0:20:52:41:53"],
        );
        assert!(warnings("00155D010203")[0].message().contains("Hyper-V"));
    }

    #[test]
    fn a_placeholder_is_known_in_any_spelling() {
        all_are(
            MachineIdWarning::Placeholder,
            &[
                "Default string",
                "To be filled by O.E.M.",
                " TO BE FILLED BY OEM ",
                "To Be Filled By O.E.M",
                "System Serial Number",
                "None",
                "null",
                "123456789",
                "1234567890",
                "123456789012",
                "O.E.M.",
                "Type1Sku0",
            ],
        );
        assert_eq!(
            warnings("N/A"),
            [MachineIdWarning::Placeholder, MachineIdWarning::TooShort]
        );
        assert_eq!(
            warnings("0"),
            [MachineIdWarning::Zeros, MachineIdWarning::TooShort]
        );
    }

    #[test]
    fn a_shared_uuid_is_known_in_any_spelling() {
        all_are(
            MachineIdWarning::SharedUuid,
            &[
                "03000200-0400-0500-0006-000700080009",
                "{00020003-0004-0005-0006-000700080009}",
                "12345678123456789 0abcddeefaabbcc",
                "FEFEFEFE-FEFE-FEFE-FEFE-FEFEFEFEFEFE",
                "4c4c4544-0000-2010-8020-80c04f202020",
            ],
        );
    }

    #[test]
    fn a_processor_id_is_a_model_rather_than_a_machine() {
        all_are(
            MachineIdWarning::ProcessorModel,
            &["BFEBFBFF000906EA", "178bfbff00800f82"],
        );
    }

    #[test]
    fn a_number_that_a_spreadsheet_rounded_is_noticed() {
        all_are(
            MachineIdWarning::Rounded,
            &["4.41E+11", "4,41e+11", "1E+05"],
        );
        assert_eq!(warnings("E+11"), []);
        assert_eq!(warnings("1.2.3E+11"), []);
    }

    #[test]
    fn the_length_is_counted_in_characters() {
        all_are(MachineIdWarning::TooShort, &["A7b", "äöü", ""]);
        assert_eq!(warnings("äöüß"), []);
    }
}
