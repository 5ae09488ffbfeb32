//! Where a webhook may go. A URL is read strictly (`Target::parse`), checked against the rules (`check_url`), and
//! every address its name resolves to is checked again at each connect (`is_allowed`), so that a name which
//! changes its address leads nowhere forbidden (INV-38). Nothing here resolves or connects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest URL that is read, in octets.
pub const URL_MAX: usize = 2_048;

/// What an operator allows. The default is the internet over TLS on port 443.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    /// 127.0.0.0/8 and ::1 (demo and tests).
    pub allow_loopback: bool,
    /// RFC 1918 and unique local addresses, and names without a dot (receivers in one's own network).
    pub allow_private: bool,
    /// Without TLS.
    pub allow_http: bool,
    /// The ports; any other is refused.
    pub ports: Vec<u16>,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { allow_loopback: false, allow_private: false, allow_http: false, ports: vec![443] }
    }
}

/// A URL, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// A name in lower case or a literal address, IPv6 without brackets.
    pub host: String,
    /// As written, or the scheme's.
    pub port: u16,
    /// Whether the scheme was `https`.
    pub tls: bool,
    /// Path and query, beginning with `/`.
    pub path: String,
}

/// Why a URL is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlFault {
    /// Longer than `URL_MAX`.
    #[error("the URL is too long")]
    Length,
    /// Neither http nor https.
    #[error("the URL does not begin with https://")]
    Scheme,
    /// http where only https is allowed.
    #[error("the URL must be https; allow_http is off")]
    Plain,
    /// `user:password@`.
    #[error("the URL holds a user or a password; sign with the secret instead")]
    UserInfo,
    /// `#…`.
    #[error("the URL holds a fragment")]
    Fragment,
    /// No host, or one with characters that no host name has.
    #[error("the host is not a host name")]
    Host,
    /// Letters outside ASCII.
    #[error("the host is not ASCII; write the international name in its xn-- form")]
    International,
    /// A number that some resolvers take for an address (`2130706433`, `0x7f.1`, `0177.0.0.1`).
    #[error("the host is an address in an unusual notation; write four decimal numbers")]
    OddNumber,
    /// A name without a dot while neither loopback nor private addresses are allowed.
    #[error("the host has no domain")]
    NoDomain,
    /// Not a port, or one that is not listed.
    #[error("the port is not allowed")]
    Port,
    /// A character that a path may not hold unescaped.
    #[error("the path holds a character that must be escaped")]
    Path,
    /// A literal address that may not be reached.
    #[error("the address may not be reached")]
    Address,
}

/// What an address is to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Public,
    Loopback,
    Private,
    /// Never reached, whatever is allowed.
    Forbidden,
}

impl Target {
    /// Reads a URL strictly; no rule is applied.
    pub fn parse(url: &str) -> Result<Target, UrlFault> {
        if url.len() > URL_MAX {
            return Err(UrlFault::Length);
        }
        let (scheme, rest) = url.split_once("://").ok_or(UrlFault::Scheme)?;
        let tls = match scheme {
            s if s.eq_ignore_ascii_case("https") => true,
            s if s.eq_ignore_ascii_case("http") => false,
            _ => return Err(UrlFault::Scheme),
        };
        if rest.contains('#') {
            return Err(UrlFault::Fragment);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '\\']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(UrlFault::UserInfo);
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            None => [80, 443][usize::from(tls)],
            Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port != 0).ok_or(UrlFault::Port)?
            }
            Some(_) => return Err(UrlFault::Port),
        };
        let host = check_host(host)?;
        if !is_path(path.as_bytes()) {
            return Err(UrlFault::Path);
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Target { host, port, tls, path })
    }

    /// The literal address, when the host is one.
    #[must_use]
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The value of the Host header: IPv6 in brackets, the port unless it is the scheme's.
    #[must_use]
    pub fn authority(&self) -> String {
        let default = if self.tls { 443 } else { 80 };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default { host } else { format!("{host}:{}", self.port) }
    }
}

/// Reads a URL and applies the rules to all that can be known without resolving its name.
pub fn check_url(url: &str, rules: &Rules) -> Result<Target, UrlFault> {
    let target = Target::parse(url)?;
    if !target.tls && !rules.allow_http {
        return Err(UrlFault::Plain);
    }
    if !rules.ports.contains(&target.port) {
        return Err(UrlFault::Port);
    }
    match target.literal() {
        Some(address) if !is_allowed(address, rules) => Err(UrlFault::Address),
        None if !target.host.contains('.') && !rules.allow_loopback && !rules.allow_private => Err(UrlFault::NoDomain),
        _ => Ok(target),
    }
}

/// Whether a connection to this address may be opened.
#[must_use]
pub fn is_allowed(address: IpAddr, rules: &Rules) -> bool {
    let kind = match address {
        IpAddr::V4(address) => kind_v4(address),
        IpAddr::V6(address) => kind_v6(address),
    };
    match kind {
        Kind::Public => true,
        Kind::Loopback => rules.allow_loopback,
        Kind::Private => rules.allow_private,
        Kind::Forbidden => false,
    }
}

/// The IANA IPv4 special-purpose registry, and the clouds' metadata services that lie outside it.
fn kind_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        [127, ..] => Kind::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private,
        [0, ..]                      // this network (RFC 791)
        | [100, 64..=127, ..]        // carrier-grade NAT (RFC 6598), some clouds' metadata
        | [169, 254, ..]             // link-local, most clouds' metadata
        | [168, 63, 129, 16]         // a cloud's metadata on a public address
        | [192, 0, 0, _]             // protocol assignments (RFC 6890)
        | [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] // documentation (RFC 5737)
        | [192, 88, 99, _]           // 6to4 relays (RFC 7526)
        | [198, 18..=19, ..]         // benchmarking (RFC 2544)
        | [224..=255, ..]            // multicast, reserved, broadcast
        => Kind::Forbidden,
        _ => Kind::Public,
    }
}

/// Only global unicast (2000::/3) is public. Forms that carry an IPv4 address inside are all refused, also when
/// the inner one is public: nobody needs them and each is a way round the table above. v4-mapped, v4-compatible,
/// NAT64 (64:ff9b::/96 and 64:ff9b:1::/48), link-local, site-local and multicast lie outside 2000::/3.
fn kind_v6(address: Ipv6Addr) -> Kind {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        [0xfd00, 0x0ec2, ..] => Kind::Forbidden, // a cloud's metadata inside unique local
        [0xfc00..=0xfdff, ..] => Kind::Private,
        [0x2001, 0x0000..=0x01ff, ..]   // protocol assignments: Teredo, benchmarking, ORCHID (RFC 2928)
        | [0x2001, 0x0db8, ..]          // documentation (RFC 3849)
        | [0x2002, ..]                  // 6to4 (RFC 3056)
        | [0x3ffe, ..]                  // 6bone, returned (RFC 3701)
        | [0x3fff, 0x0000..=0x0fff, ..] // documentation (RFC 9637)
        => Kind::Forbidden,
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Forbidden,
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), UrlFault> {
    if authority.starts_with('[') {
        let end = authority.find(']').ok_or(UrlFault::Host)? + 1;
        let (host, rest) = authority.split_at(end);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(UrlFault::Host),
        };
    }
    Ok(match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    })
}

fn check_host(host: &str) -> Result<String, UrlFault> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(UrlFault::Host)?;
        // The library's reader takes neither zones (%eth0) nor a bracketed IPv4.
        return inner.parse::<Ipv6Addr>().map(|address| address.to_string()).map_err(|_| UrlFault::Host);
    }
    if !host.is_ascii() {
        return Err(UrlFault::International);
    }
    if host.is_empty() || host.len() > 253 {
        return Err(UrlFault::Host);
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(address.to_string());
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !host.split('.').all(is_label) {
        return Err(UrlFault::Host);
    }
    // No top-level domain is a number; resolvers take such a host for an address in inet_aton's notations.
    let last = host.rsplit('.').next().unwrap_or(host).to_ascii_lowercase();
    let is_hex = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    if is_hex || last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(UrlFault::OddNumber);
    }
    Ok(host.to_ascii_lowercase())
}

/// RFC 3986 §3.3 and §3.4: path characters, `/`, `?` and whole escapes.
fn is_path(path: &[u8]) -> bool {
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        at += match byte {
            b'%' if path.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => 3,
            b if b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(b) => 1,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(loopback: bool, private: bool) -> Rules {
        Rules { allow_loopback: loopback, allow_private: private, allow_http: true, ports: vec![443, 80, 8080] }
    }

    #[test]
    fn each_address_is_reached_only_under_the_rule_that_names_it() {
        // never, unless listed below
        for address in [
            "0.0.0.0",
            "0.0.0.1",
            "0.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "169.254.0.1",
            "169.254.169.254",
            "168.63.129.16",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::2",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3ffe::1",
            "3fff::1",
            "5f00::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
            "fd00:ec2::254",
            "4000::1",
        ] {
            assert!(!is_allowed(address.parse().expect(address), &rules(true, true)), "{address}");
        }
        for address in ["127.0.0.1", "127.255.255.255", "::1"] {
            let address = address.parse().expect(address);
            assert!(is_allowed(address, &rules(true, false)) && !is_allowed(address, &rules(false, true)), "{address}");
        }
        for address in ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fd12:3456::1"] {
            let address = address.parse().expect(address);
            assert!(is_allowed(address, &rules(false, true)) && !is_allowed(address, &rules(true, false)), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.1.1",
            "192.169.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "3ffd::1",
        ] {
            assert!(is_allowed(address.parse().expect(address), &rules(false, false)), "{address}");
        }
    }

    #[test]
    fn hostile_urls_are_refused_with_their_reason() {
        let long = format!("https://example.com/{}", "a".repeat(URL_MAX));
        for (url, fault) in [
            ("", UrlFault::Scheme),
            ("example.com/hook", UrlFault::Scheme),
            ("//example.com/", UrlFault::Scheme),
            ("ftp://example.com/", UrlFault::Scheme),
            ("file:///etc/passwd", UrlFault::Scheme),
            ("gopher://127.0.0.1:25/", UrlFault::Scheme),
            (" https://example.com/", UrlFault::Scheme),
            ("http://example.com/", UrlFault::Plain),
            ("https://user@example.com/", UrlFault::UserInfo),
            ("https://user:pw@example.com/", UrlFault::UserInfo),
            ("https://example.com@10.0.0.1/", UrlFault::UserInfo),
            ("https://example.com/#top", UrlFault::Fragment),
            ("https://example.com#@10.0.0.1/", UrlFault::Fragment),
            ("https:///hook", UrlFault::Host),
            ("https://?x", UrlFault::Host),
            ("https://exa mple.com/", UrlFault::Host),
            ("https://example.com%2f.evil.com/", UrlFault::Host),
            ("https://127%2e0.0.1/", UrlFault::Host),
            ("https://example..com/", UrlFault::Host),
            ("https://example.com./", UrlFault::Host),
            ("https://127.0.0.1./", UrlFault::Host),
            ("https://-example.com/", UrlFault::Host),
            ("https://[::1", UrlFault::Host),
            ("https://[::1]x/", UrlFault::Host),
            ("https://[fe80::1%25eth0]/", UrlFault::Host),
            ("https://[127.0.0.1]/", UrlFault::Host),
            ("https://[v1.a]/", UrlFault::Host),
            ("https://exämple.com/", UrlFault::International),
            ("https://①②⑦.0.0.1/", UrlFault::International),
            ("https://127。0。0。1/", UrlFault::International),
            ("https://2130706433/", UrlFault::OddNumber),
            ("https://0x7f000001/", UrlFault::OddNumber),
            ("https://0x7f.1/", UrlFault::OddNumber),
            ("https://127.0.0.0x1/", UrlFault::OddNumber),
            ("https://0177.0.0.1/", UrlFault::OddNumber),
            ("https://127.1/", UrlFault::OddNumber),
            ("https://127.0.0.1.1/", UrlFault::OddNumber),
            ("https://256.256.256.256/", UrlFault::OddNumber),
            ("https://0x/", UrlFault::OddNumber),
            ("https://017700000001/", UrlFault::OddNumber),
            ("https://localhost/", UrlFault::NoDomain),
            ("https://intranet/", UrlFault::NoDomain),
            ("https://example.com:8443/", UrlFault::Port),
            ("https://example.com:22/", UrlFault::Port),
            ("https://example.com:0/", UrlFault::Port),
            ("https://example.com:/", UrlFault::Port),
            ("https://example.com:65536/", UrlFault::Port),
            ("https://example.com:+443/", UrlFault::Port),
            ("https://example.com:443:443/", UrlFault::Port),
            ("https://::1/", UrlFault::Port),
            ("https://example.com/a b", UrlFault::Path),
            ("https://example.com/\r\nX: y", UrlFault::Path),
            ("https://example.com/%zz", UrlFault::Path),
            ("https://example.com/%2", UrlFault::Path),
            ("https://example.com\\@10.0.0.1/", UrlFault::UserInfo),
            ("https://example.com\\.evil.com/", UrlFault::Path),
            ("https://example.com/\u{e9}", UrlFault::Path),
            ("https://127.0.0.1/", UrlFault::Address),
            ("https://10.0.0.1/", UrlFault::Address),
            ("https://169.254.169.254/latest/meta-data", UrlFault::Address),
            ("https://0.0.0.0/", UrlFault::Address),
            ("https://[::1]/", UrlFault::Address),
            ("https://[::]/", UrlFault::Address),
            ("https://[::ffff:169.254.169.254]/", UrlFault::Address),
            ("https://[64:ff9b::a9fe:a9fe]/", UrlFault::Address),
            ("https://[2002:a9fe:a9fe::]/", UrlFault::Address),
            ("https://[fd00::1]/", UrlFault::Address),
            (long.as_str(), UrlFault::Length),
        ] {
            // A backslash or an @ after it is refused by whichever of the two rules sees it first.
            let found = check_url(url, &Rules::default()).expect_err(url);
            let same = found == fault || (url.contains("\\@") && found == UrlFault::Path);
            assert!(same, "{url}: {found:?}");
        }
    }

    #[test]
    fn what_is_allowed_is_taken_apart() {
        let target = check_url("HTTPS://Hooks.Example.COM/in?a=1&b=%20", &Rules::default()).expect("allowed");
        let expect = Target { host: "hooks.example.com".into(), port: 443, tls: true, path: "/in?a=1&b=%20".into() };
        assert_eq!((target.authority(), target), ("hooks.example.com".into(), expect));
        let query = check_url("https://example.com?x", &Rules::default()).expect("allowed");
        assert_eq!(query.path, "/?x");
        let local = check_url("http://127.0.0.1:8080", &rules(true, false)).expect("allowed");
        assert_eq!((local.authority().as_str(), local.path.as_str(), local.tls), ("127.0.0.1:8080", "/", false));
        let six = check_url("http://[::1]:8080/x", &rules(true, false)).expect("allowed");
        assert_eq!((six.host.as_str(), six.authority().as_str()), ("::1", "[::1]:8080"));
        assert!(check_url("http://sink:8080/", &rules(false, true)).is_ok());
        assert!(check_url("https://xn--exmple-cua.com/", &Rules::default()).is_ok());
        assert!(check_url("https://[2606:4700::1111]/", &Rules::default()).is_ok());
    }
}
