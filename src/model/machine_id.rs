//! Machine ids that identify poorly: a warning for the admin, never a refusal.

use super::mac::{canonical_key, is_mac};

/// Characters below which an id is a guess away.
const SHORT: usize = 4;

/// Beginnings of MAC addresses, as bare digits, whose adapters are programs.
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

/// What makers of boards and programs write where no number is; letters and digits only.
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

/// SMBIOS UUIDs that whole series of boards share, as bare digits, in both orders of their bytes.
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

/// Why a machine id identifies poorly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing but zeros.
    Zeros,
    /// Nothing but F, such as the broadcast address.
    AllF,
    /// One other character, repeated.
    Repeated,
    /// A MAC address of a group, which no adapter has.
    Multicast,
    /// A MAC address that no maker has given.
    LocallyAdministered,
    /// The MAC address of an adapter that is a program: this one.
    VirtualAdapter(&'static str),
    /// A text that stands for a missing number.
    Placeholder,
    /// A UUID that a whole series of boards has.
    SharedUuid,
    /// The `ProcessorId` of WMI: a model and its features.
    ProcessorModel,
    /// A number that a spreadsheet has rounded.
    Rounded,
    /// Fewer than four characters.
    TooShort,
}

impl Doubt {
    /// What is wrong and what to do, for a person.
    pub fn message(self) -> String {
        match self {
            Doubt::Zeros => "All digits are zero: many machines without a network adapter or \
                 without a serial number report this. Ask the customer for another id."
                .into(),
            Doubt::AllF => "All digits are F: this is what machines report that have no number \
                 of their own. Ask the customer for another id."
                .into(),
            Doubt::Repeated => "This is one character repeated, as machines without a number \
                 report it. Ask the customer for another id."
                .into(),
            Doubt::Multicast => "No network adapter has this MAC address: a program that finds \
                 no adapter, such as Python's uuid.getnode(), invents such a number at each \
                 start. Ask the customer for another id."
                .into(),
            Doubt::LocallyAdministered => "No maker has given this MAC address: it is from \
                 Windows' random hardware addresses or from a VPN or virtual adapter, and it may \
                 change. Ask the customer for the address of a built-in adapter."
                .into(),
            Doubt::VirtualAdapter(maker) => format!(
                "This MAC address is of a virtual adapter ({maker}): it comes and goes with a \
                 program, and other machines may have the same. Ask the customer for the address \
                 of a built-in adapter."
            ),
            Doubt::Placeholder => "This text stands for a number that the machine does not have; \
                 many machines report the same. Ask the customer for another id."
                .into(),
            Doubt::SharedUuid => "The maker gave this UUID to many boards, so other machines \
                 have it too. Ask the customer for another id."
                .into(),
            Doubt::ProcessorModel => "This looks like a processor's id, which all machines with \
                 the same model of processor share. Ask the customer for another id."
                .into(),
            Doubt::Rounded => "A spreadsheet has rounded this number, and its last digits are \
                 lost. Format the column as text and enter the id again."
                .into(),
            Doubt::TooShort => format!(
                "An id of fewer than {SHORT} characters is easily guessed, and machines may \
                 share it. Ask the customer whether it is complete."
            ),
        }
    }
}

/// Why this license key, in any spelling, may not tell one machine from all others; mostly empty.
pub fn doubts(license_key: &str) -> Vec<Doubt> {
    let key = canonical_key(license_key.trim());
    let signs = signs(&key);
    let content = repeated(&signs)
        .or_else(|| rounded(&key))
        .or_else(|| placeholder(&signs))
        .or_else(|| number(&signs))
        .or_else(|| is_mac(&key).then(|| address(&signs)).flatten());
    let length = (key.chars().count() < SHORT).then_some(Doubt::TooShort);
    content.into_iter().chain(length).collect()
}

/// Its letters and digits in lower case; all of it where it has none.
fn signs(key: &str) -> String {
    let signs: String = key.chars().filter(|c| c.is_alphanumeric()).collect();
    if signs.is_empty() {
        return key.to_owned();
    }
    signs.to_lowercase()
}

fn repeated(signs: &str) -> Option<Doubt> {
    let first = signs.chars().next()?;
    if signs.chars().any(|c| c != first) {
        return None;
    }
    Some(match first {
        '0' => Doubt::Zeros,
        'f' => Doubt::AllF,
        _ if signs.chars().nth(1).is_none() => return None,
        _ => Doubt::Repeated,
    })
}

/// `4.41E+11`, with a comma in other countries.
fn rounded(key: &str) -> Option<Doubt> {
    let (number, power) = key.split_once(['E', 'e'])?;
    let (whole, part) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let is_rounded = is_number(whole) && is_number(part) && is_number(power.strip_prefix('+')?);
    is_rounded.then_some(Doubt::Rounded)
}

fn placeholder(signs: &str) -> Option<Doubt> {
    (PLACEHOLDERS.contains(&signs) || counts_up(signs)).then_some(Doubt::Placeholder)
}

/// `123456789`, `0123456789` or `123456789012`, of four digits or more.
fn counts_up(signs: &str) -> bool {
    let follows = |pair: &[u8]| pair[1] == b'0' + (pair[0] - b'0' + 1) % 10;
    signs.len() >= 4
        && signs.starts_with(['0', '1'])
        && signs.bytes().all(|c| c.is_ascii_digit())
        && signs.as_bytes().windows(2).all(follows)
}

fn number(signs: &str) -> Option<Doubt> {
    if SHARED_UUIDS.contains(&signs) {
        return Some(Doubt::SharedUuid);
    }
    let is_hex = signs.bytes().all(|c| c.is_ascii_hexdigit());
    // The features that every processor of this century has: BFEBFBFF by Intel, 178BFBFF by AMD.
    let has_features = signs.get(3..8) == Some("bfbff");
    (signs.len() == 16 && is_hex && has_features).then_some(Doubt::ProcessorModel)
}

/// What the twelve digits of a MAC address tell.
fn address(digits: &str) -> Option<Doubt> {
    if let Some((_, maker)) = VIRTUAL.iter().find(|(start, _)| digits.starts_with(start)) {
        return Some(Doubt::VirtualAdapter(maker));
    }
    if digits.ends_with(REMOTE_ACCESS) {
        return Some(Doubt::VirtualAdapter("Windows remote access"));
    }
    let first = u8::from_str_radix(digits.get(..2)?, 16).ok()?;
    match (first & 1, first & 2) {
        (1, _) => Some(Doubt::Multicast),
        (_, 2) => Some(Doubt::LocallyAdministered),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_are(doubt: Doubt, keys: &[&str]) {
        for key in keys {
            assert_eq!(doubts(key), [doubt], "{key}");
        }
    }

    #[test]
    fn a_real_id_is_not_doubted() {
        for key in [
            "00-1B-21-3C-4D-5E",
            "4C4C4544-0042-3510-8052-B3C04F4B4E32",
            "WD-WCC4E1234567",
            "E823_8FA6_BF53_0001.",
            "PC-MÜLLER",
            "1E5F",
            "S5H9NS0N",
        ] {
            assert_eq!(doubts(key), [], "{key}");
        }
    }

    #[test]
    fn one_character_repeated_is_no_number() {
        all_are(Doubt::Zeros, &["00:00:00:00:00:00", "0000-0000", "{0000}"]);
        all_are(
            Doubt::AllF,
            &["FF-FF-FF-FF-FF-FF", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
        );
        all_are(
            Doubt::Repeated,
            &["xXxX", "........", "11-11-11-11-11-11", "XX XX"],
        );
    }

    #[test]
    fn the_first_octet_tells_groups_and_invented_addresses() {
        all_are(Doubt::Multicast, &["01:00:5e:00:00:01", "0B1B2C3D4E5F"]);
        all_are(
            Doubt::LocallyAdministered,
            &["02-1B-2C-3D-4E-5F", "da1b.2c3d.4e5f"],
        );
    }

    #[test]
    fn a_virtual_adapter_is_known_by_its_maker() {
        all_are(Doubt::VirtualAdapter("VMware"), &["00-50-56-C0-00-08"]);
        all_are(Doubt::VirtualAdapter("VirtualBox"), &["0a:00:27:00:00:0b"]);
        all_are(Doubt::VirtualAdapter("Hyper-V"), &["00155D010203"]);
        all_are(
            Doubt::VirtualAdapter("Windows remote access"),
            &["68:A0:20:52:41:53"],
        );
        assert!(doubts("00155D010203")[0].message().contains("Hyper-V"));
    }

    #[test]
    fn a_text_for_a_missing_number_is_known_in_any_spelling() {
        all_are(
            Doubt::Placeholder,
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
        assert_eq!(doubts("N/A"), [Doubt::Placeholder, Doubt::TooShort]);
        assert_eq!(doubts("0"), [Doubt::Zeros, Doubt::TooShort]);
    }

    #[test]
    fn a_uuid_of_many_boards_is_known_in_any_spelling() {
        all_are(
            Doubt::SharedUuid,
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
    fn a_processor_is_a_model_and_not_a_machine() {
        all_are(
            Doubt::ProcessorModel,
            &["BFEBFBFF000906EA", "178bfbff00800f82"],
        );
    }

    #[test]
    fn a_number_that_a_spreadsheet_rounded_has_lost_its_digits() {
        all_are(Doubt::Rounded, &["4.41E+11", "4,41e+11", "1E+05"]);
        assert_eq!(doubts("E+11"), []);
        assert_eq!(doubts("1.2.3E+11"), []);
    }

    #[test]
    fn a_short_id_is_doubted_by_its_characters() {
        all_are(Doubt::TooShort, &["A7b", "äöü", ""]);
        assert_eq!(doubts("äöüß"), []);
    }
}
