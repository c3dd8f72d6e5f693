//! What the headings of a table of activation codes mean. The code is in the column that has the license key in other
//! tables.

/// What only codes have.
pub(super) struct OwnColumn {
    /// The field of a draft.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    headings: &'static str,
}

/// Indexes into [`OWN`].
pub(super) const SEATS: usize = 0;
pub(super) const DAYS: usize = 1;

/// What may be before the noun of a heading that counts: `Nombre de postes`.
const NUMBER_OF: [&str; 12] = [
    "numberof",
    "noof",
    "no",
    "max",
    "maximum",
    "anzahlder",
    "anzahl",
    "nombrede",
    "numerode",
    "numerodi",
    "aantal",
    "liczba",
];

pub(super) const OWN: [OwnColumn; 4] = [
    OwnColumn {
        name: "seats",
        label: "Seats",
        headings: "seats machines devices computers pcs units installations activations licenses quantity qty count \
                   platze arbeitsplatze sitze geraete gerate rechner lizenzen einheiten anzahl menge \
                   postes ordinateurs appareils licences unites quantite puestos equipos dispositivos licencias unidades cantidad \
                   postazioni dispositivi licenze unita quantita werkplekken apparaten licenties eenheden aantal \
                   stanowiska stanowisk urzadzenia komputery licencje licencji liczba ilosc \
                   postos maquinas computadores licencas quantidade",
    },
    OwnColumn {
        name: "days",
        label: "Days from first use",
        headings: "days tage jours dias giorni dagen dni validdays",
    },
    OwnColumn {
        name: "moves_per_year",
        label: "Moves per year",
        headings: "moves movesperyear",
    },
    OwnColumn {
        name: "email",
        label: "E-mail",
        headings: "email emailaddress mail customeremail emailadresse courriel correo",
    },
];

const CODE: &str = "code codes activationcode licensecode licencecode serial serials serialnumber serialno productkey \
                    aktivierungscode lizenzcode seriennummer freischaltcode produktschlussel codedactivation numerodeserie \
                    codigo codigodeactivacion codice codicediattivazione activeringscode kodaktywacyjny kod codigodeativacao";

/// Whether a heading, as it is compared, is that of the codes.
pub(super) fn is_code(heading: &str) -> bool {
    is_in(CODE, heading)
}

pub(super) fn own_of_heading(heading: &str) -> Option<usize> {
    let find = |name: &str| OWN.iter().position(|own| is_in(own.headings, name));
    let counts_seats = |start: &&str| {
        let noun = heading.strip_prefix(*start);
        noun.is_some_and(|noun| find(noun) == Some(SEATS))
    };
    find(heading).or_else(|| NUMBER_OF.iter().any(counts_seats).then_some(SEATS))
}

fn is_in(names: &str, heading: &str) -> bool {
    names.split_whitespace().any(|known| known == heading)
}
