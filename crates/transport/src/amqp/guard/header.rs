//! Content headers: the size of the body that follows, and the message's properties.
//! Properties that amiquip could not read are replaced, so that the message still arrives.

use super::bytes::{Fields, is_utf8};
use super::defect_header::{Defect, GuardReport};
use super::frame::{END, HEADER, Refusal};
use super::table;

/// The size of class, weight and body size, which precede the properties.
pub(super) const FIXED: usize = 12;
/// The largest body that RabbitMQ relays, whatever its settings. A smaller limit here would lose a message that the
/// consumer should judge.
pub(super) const MAX_BODY: u64 = 512 << 20;

const BASIC: u16 = 60;
/// The index of the property `headers`, counted from the highest bit of the flags.
const HEADERS: u32 = 2;
/// The lowest bit: more flags follow. No property needs them.
const MORE_FLAGS: u16 = 1;

/// A property's encoding, from the highest bit of the flags on.
#[derive(Clone, Copy)]
enum Property {
    ShortString,
    Table,
    Fixed(usize),
}

/// `content-type` to `cluster-id`.
const PROPERTIES: [Property; 14] = {
    use Property::{Fixed, ShortString as Text, Table};
    [Text, Text, Table, Fixed(1), Fixed(1), Text, Text, Text, Text, Fixed(8), Text, Text, Text, Text]
};

/// Checks the fixed part. Without the size of the body the connection cannot continue.
pub(super) fn check_fixed(payload: &[u8]) -> Result<(), Refusal> {
    let mut fields = Fields::new(payload);
    let (Some(class), Some(_weight), Some(size)) = (fields.u16(), fields.u16(), fields.u64()) else {
        return Err(Refusal::new("the broker sent a content header that is cut off"));
    };
    if class != BASIC {
        return Err(Refusal(format!("the broker sent a message of the unknown class {class}")));
    }
    if size > MAX_BODY {
        return Err(Refusal(format!("the broker announced a body of {size} bytes, more than the possible {MAX_BODY}")));
    }
    Ok(())
}

/// Returns the payload that replaces this one, if its properties have a defect.
pub(super) fn mend(payload: &[u8], guard_report: &GuardReport) -> Option<Vec<u8>> {
    let (fixed, properties) = payload.split_at_checked(FIXED)?;
    let Survey { defect, mut kept } = survey(properties);
    let headers = guard_report.headers(defect?);
    kept[HEADERS as usize] = Some(&headers);
    let flags = (0..).zip(&kept).filter(|(_, kept)| kept.is_some()).fold(0, |flags, (index, _)| flags | bit(index));
    let mut out = fixed.to_vec();
    out.extend_from_slice(&flags.to_be_bytes());
    out.extend(kept.into_iter().flatten().flatten());
    Some(out)
}

/// The frame that replaces a content header that is too large to be read.
pub(super) fn too_large(channel: u16, fixed: &[u8], guard_report: &GuardReport) -> Vec<u8> {
    let mut payload = fixed.to_vec();
    payload.extend_from_slice(&bit(HEADERS).to_be_bytes());
    payload.extend_from_slice(&guard_report.headers(Defect::TooLarge));
    frame(channel, &payload)
}

/// A header frame.
pub(super) fn frame(channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![HEADER];
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    out.extend_from_slice(payload);
    out.push(END);
    out
}

fn bit(index: u32) -> u16 {
    1 << (15 - index)
}

/// The properties one by one.
struct Survey<'a> {
    /// The first thing that is wrong.
    defect: Option<Defect>,
    /// Those that can be read, encoded.
    kept: [Option<&'a [u8]>; PROPERTIES.len()],
}

fn survey(bytes: &[u8]) -> Survey<'_> {
    let mut survey = Survey { defect: None, kept: [None; PROPERTIES.len()] };
    let mut fields = Fields::new(bytes);
    let Some(flags) = fields.u16().filter(|flags| flags & MORE_FLAGS == 0) else {
        survey.defect = Some(Defect::PropertiesMalformed);
        return survey;
    };
    for (index, property) in (0u32..).zip(PROPERTIES) {
        if flags & bit(index) == 0 {
            continue;
        }
        let start = fields.at();
        let verdict = match property {
            Property::Fixed(size) => fields.take(size).map(|_| Ok(())).ok_or(Defect::PropertiesMalformed),
            Property::ShortString => fields
                .short_string()
                .map(|text| if is_utf8(text) { Ok(()) } else { Err(Defect::PropertiesNotUtf8) })
                .ok_or(Defect::PropertiesMalformed),
            Property::Table => fields.long_string().map(table::check).ok_or(Defect::Malformed),
        };
        match verdict {
            Ok(Ok(())) => survey.kept[index as usize] = bytes.get(start..fields.at()),
            Ok(Err(defect)) => survey.defect = survey.defect.or(Some(defect)),
            Err(defect) => {
                // Where the next one begins is not known.
                survey.defect = survey.defect.or(Some(defect));
                return survey;
            }
        }
    }
    // Flags and properties disagree, so any of them may be another than it seems.
    if !fields.is_empty() {
        survey.defect = survey.defect.or(Some(Defect::PropertiesMalformed));
    }
    survey
}
