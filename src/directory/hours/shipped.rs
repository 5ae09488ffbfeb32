//! The rule files in this program (`config/rules/`): what is known without any directory given.

macro_rules! files {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../config/rules/", $name)))),*]
    };
}

/// Name and text of each.
pub(super) static FILES: [(&str, &str); 34] = files![
    "AE.toml"
    "AT.toml"
    "AU.toml"
    "AZ.toml"
    "BE.toml"
    "BR.toml"
    "BY.toml"
    "CA.toml"
    "CH.toml"
    "CO.toml"
    "DE.toml"
    "EG.toml"
    "ES.toml"
    "FR.toml"
    "GB.toml"
    "IE.toml"
    "IL.toml"
    "IN.toml"
    "IT.toml"
    "JO.toml"
    "KW.toml"
    "LU.toml"
    "MA.toml"
    "MX.toml"
    "MY.toml"
    "NL.toml"
    "PL.toml"
    "PT.toml"
    "QA.toml"
    "SA.toml"
    "TR.toml"
    "US.toml"
    "ZA.toml"
    "default.toml"
];
