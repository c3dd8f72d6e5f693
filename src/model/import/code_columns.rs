//! What the headings of a table of activation codes mean. The code is in the column that has the license key in other
//! tables.

/// What only codes have.
pub(super) struct OwnColumn {
    /// The field of a draft.
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    headings: &'static str,
}

/// The index of `days`.
pub(super) const DAYS: usize = 1;

pub(super) const OWN: [OwnColumn; 4] = [
    OwnColumn {
        name: "seats",
        label: "Seats",
        headings: "seats machines devices activations licenses quantity count maxactivations maxmachines maxdevices \
                   maxseats numberofseats numberofmachines platze sitze geraete gerate rechner lizenzen anzahl anzahllizenzen \
                   menge postes licences quantite equipos licencias cantidad postazioni licenze quantita werkplekken licenties \
                   aantal stanowiska licencje liczba ilosc maquinas licencas quantidade",
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
    OWN.iter().position(|own| is_in(own.headings, heading))
}

fn is_in(names: &str, heading: &str) -> bool {
    names.split_whitespace().any(|known| known == heading)
}
