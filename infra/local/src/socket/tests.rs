use super::connections::named;
use super::*;

#[test]
fn a_message_selects_its_route_by_a_field() {
    let expression = "$request.body.action";
    assert_eq!(
        selected(expression, r#"{"action":"watch"}"#).as_deref(),
        Some("watch")
    );
    assert_eq!(selected("${request.body.a.b}", r#"{"a":{"b":"x"}}"#), None);
    assert_eq!(
        selected("$request.body.a.b", r#"{"a":{"b":"x"}}"#).as_deref(),
        Some("x")
    );
    for other in ["hello", "[]", r#"{"action":1}"#, ""] {
        assert_eq!(selected(expression, other), None, "{other}");
    }
}

#[test]
fn a_connection_is_named_below_its_stage_however_it_is_encoded() {
    let found = Some(("live".to_owned(), "L0SM9cOFvHcCIhw=".to_owned()));
    assert_eq!(named("/live/@connections/L0SM9cOFvHcCIhw="), found);
    assert_eq!(named("/live/%40connections/L0SM9cOFvHcCIhw%3D"), found);
    assert_eq!(named("/live"), None);
    assert_eq!(named("/live/other/x"), None);
}

#[test]
fn connection_ids_are_as_api_gateway_makes_them() {
    let id = connection_id();
    assert_eq!((id.len(), id.ends_with('=')), (16, true), "{id}");
}
