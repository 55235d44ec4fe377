//! JSON with line breaks: every value keeps its own bytes.

/// JSON, indented by two.
pub(super) fn pretty(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth = 0usize;
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            text.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' => {
                text.push(c);
                depth += 1;
                break_line(&mut text, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                let before = text.trim_end().len();
                text.truncate(before);
                if !text.ends_with(['{', '[']) {
                    break_line(&mut text, depth);
                }
                text.push(c);
            }
            ',' => {
                text.push(c);
                break_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            other => {
                in_string = other == '"';
                text.push(other);
            }
        }
    }
    text
}

fn break_line(text: &mut String, depth: usize) {
    text.push('\n');
    // What is nested deep is not read by its distance from the margin.
    text.extend(std::iter::repeat_n("  ", depth.min(20)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_bytes_and_get_lines() {
        let json = r#"{"a":1.10 ,"b":[ ],"c":{"d e":"{\"x\\\": [1,2]}"},"l":[1,{}]}"#;
        let expected = r#"{
  "a": 1.10,
  "b": [],
  "c": {
    "d e": "{\"x\\\": [1,2]}"
  },
  "l": [
    1,
    {}
  ]
}"#;
        // The string is whole, whatever is in it.
        assert_eq!(pretty(json), expected);
        assert_eq!(pretty("\"text\""), "\"text\"");
    }
}
