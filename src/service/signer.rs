//! One ECDSA key on P-256: `p256` handles keys and can always sign; if the processor supports it, `graviola`
//! signs in a third of the time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::{Signer as _, Verifier};
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::Generate;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rand::rngs::SysRng;

use fast::Fast;

pub(super) struct Signer {
    key: SigningKey,
    fast: Option<Fast>,
}

impl Signer {
    /// As PKCS #8.
    pub(super) fn generate() -> Result<Vec<u8>, String> {
        let key = SigningKey::try_generate_from_rng(&mut SysRng).map_err(|e| e.to_string())?;
        let document = key.to_pkcs8_der().map_err(|e| e.to_string())?;
        Ok(document.as_bytes().to_vec())
    }

    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Signer, String> {
        Ok(Signer {
            key: SigningKey::from_pkcs8_der(pkcs8).map_err(|e| e.to_string())?,
            fast: Fast::from_pkcs8(pkcs8),
        })
    }

    /// Parses a key as written by [`Signer::private_pem`]; also returns it as PKCS #8.
    pub(super) fn from_pem(text: &str) -> Result<(Vec<u8>, Signer), String> {
        let key = SigningKey::from_pkcs8_pem(text).map_err(|e| e.to_string())?;
        let document = key.to_pkcs8_der().map_err(|e| e.to_string())?;
        let document = document.as_bytes().to_vec();
        let signer = Signer::from_pkcs8(&document)?;
        Ok((document, signer))
    }

    /// ES256: two numbers of 32 bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], String> {
        match &self.fast {
            Some(fast) => fast.sign(message),
            None => self.sign_anywhere(message),
        }
    }

    fn sign_anywhere(&self, message: &[u8]) -> Result<[u8; 64], String> {
        let signature: Signature = self.key.try_sign(message).map_err(|e| e.to_string())?;
        Ok(signature.to_bytes().into())
    }

    /// Whether it has signed this message.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let public = self.key.verifying_key();
        Signature::from_slice(signature).is_ok_and(|s| public.verify(message, &s).is_ok())
    }

    /// The public key as base64url.
    pub(super) fn coordinates(&self) -> (String, String) {
        let point = self.key.verifying_key().to_sec1_point(false);
        // The byte 4, followed by 32 bytes each.
        let encoded = |from, to| {
            let bytes = point.as_bytes().get(from..to).unwrap_or_default();
            URL_SAFE_NO_PAD.encode(bytes)
        };
        (encoded(1, 33), encoded(33, 65))
    }

    /// As SubjectPublicKeyInfo.
    pub(super) fn public_pem(&self) -> Result<String, String> {
        let key = self.key.verifying_key();
        key.to_public_key_pem(LineEnding::LF)
            .map_err(|e| e.to_string())
    }

    /// As PKCS #8.
    pub(super) fn private_pem(&self) -> Result<String, String> {
        let text = self.key.to_pkcs8_pem(LineEnding::LF);
        Ok(text.map_err(|e| e.to_string())?.to_string())
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod fast {
    use graviola::hashing::Sha256;
    use graviola::signing::ecdsa::{P256, SigningKey};

    pub(super) struct Fast(SigningKey<P256>);

    impl Fast {
        /// None if the processor is too old.
        pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Option<Fast> {
            if !is_supported() {
                return None;
            }
            SigningKey::from_pkcs8_der(pkcs8).ok().map(Fast)
        }

        pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], String> {
            let mut signature = [0; 64];
            let signed = self.0.sign::<Sha256>(&[message], &mut signature);
            signed.map_err(|e| format!("{e:?}"))?;
            Ok(signature)
        }
    }

    /// The library requires this, and panics otherwise.
    #[cfg(target_arch = "x86_64")]
    fn is_supported() -> bool {
        is_x86_feature_detected!("adx")
            && is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("pclmulqdq")
    }

    #[cfg(target_arch = "aarch64")]
    fn is_supported() -> bool {
        use std::arch::is_aarch64_feature_detected;
        is_aarch64_feature_detected!("aes")
            && is_aarch64_feature_detected!("neon")
            && is_aarch64_feature_detected!("pmull")
            && is_aarch64_feature_detected!("sha2")
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod fast {
    pub(super) enum Fast {}

    impl Fast {
        pub(super) fn from_pkcs8(_: &[u8]) -> Option<Fast> {
            None
        }

        pub(super) fn sign(&self, _: &[u8]) -> Result<[u8; 64], String> {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_signs_the_public_key_verifies_it() {
        let signer = Signer::from_pkcs8(&Signer::generate().unwrap()).unwrap();
        for signature in [signer.sign(b"a"), signer.sign_anywhere(b"a")] {
            let signature = signature.unwrap();
            assert!(signer.verifies(b"a", &signature));
            assert!(!signer.verifies(b"b", &signature));
        }
    }
}
