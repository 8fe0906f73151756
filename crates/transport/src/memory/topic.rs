//! Matches routing keys against the binding keys of a topic exchange. It knows neither queues nor messages.

/// Whether a routing key matches a binding key, in which `*` stands for exactly one word and `#` for any number of
/// words, including 0. Dots separate words.
///
/// As in RabbitMQ, an empty key has no words (so `#` matches it and `*` does not), while `a.` has two, the second of
/// which is empty.
pub(super) fn matches(binding: &str, routing: &str) -> bool {
    let pattern = words(binding);
    let key = words(routing);
    let (mut p, mut k) = (0, 0);
    // Where to continue if a later word does not match: after the last `#`, one word further.
    let mut retry: Option<(usize, usize)> = None;
    while k < key.len() {
        match pattern.get(p) {
            Some(&"#") => {
                retry = Some((p + 1, k));
                p += 1;
            }
            Some(&word) if word == "*" || word == key[k] => {
                p += 1;
                k += 1;
            }
            _ => {
                let Some((behind, from)) = retry else { return false };
                retry = Some((behind, from + 1));
                (p, k) = (behind, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|word| *word == "#")
}

fn words(key: &str) -> Vec<&str> {
    if key.is_empty() { Vec::new() } else { key.split('.').collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_match_as_in_rabbitmq() {
        for (binding, routing, expected) in [
            ("", "", true),
            ("", "a", false),
            ("#", "", true),
            ("#", "a.b.c", true),
            ("*", "", false),
            ("*", "a", true),
            ("*", "a.b", false),
            ("a.*", "a.", true),
            ("a.*", "a", false),
            ("a.#", "a", true),
            ("a.#", "a.b.c", true),
            ("a.#", "b.a", false),
            ("#.c", "c", true),
            ("#.c", "a.b.c", true),
            ("#.c", "a.c.b", false),
            ("a.#.c", "a.c", true),
            ("a.#.c", "a.c.c.b", false),
            ("a.#.c.*", "a.c.c.b", true),
            ("#.a.#.b.#", "x.a.y.z.b", true),
            ("#.a.#.b.#", "x.b.y.a", false),
            ("*.#", "", false),
            ("#.*", "a", true),
            ("#.#", "", true),
            ("a.b", "a.b", true),
            ("a.b", "a.b.", false),
            ("a*", "ab", false),
            ("A", "a", false),
        ] {
            assert_eq!(matches(binding, routing), expected, "`{binding}` against `{routing}`");
        }
    }

    #[test]
    fn many_wildcards_end_quickly() {
        let binding = vec!["#"; 120].join(".") + ".x";
        let routing = vec!["a"; 127].join(".");
        assert!(!matches(&binding, &routing));
    }
}
