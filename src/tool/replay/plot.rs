//! The scores over time, drawn as SVG.

use std::fmt::Write as _;

use postern_core::risk::settings::{Action, Deed};

use super::curve::{Point, Span};
use super::report::{Report, Shown};
use super::table;
use crate::instant;
use crate::text::{markup, printable, shortened};

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 48.0;
const HEIGHT: f64 = 400.0;
/// From the time axis to the legend, and from line to line of it.
const LEGEND: f64 = 68.0;
const ROW: f64 = 20.0;
/// How many columns the legend has, and how many characters of a name.
const LEGEND_COLUMNS: u32 = 2;
const NAME: usize = 64;

/// Of Okabe and Ito, which people tell apart who do not see all colours, without their yellow; then
/// with dashes.
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
];
const DASHES: [&str; 4] = ["none", "7 3", "2 3", "10 3 2 3"];

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// How far marks on the time axis may be apart.
const STEPS: [u64; 24] = [
    1000,
    2000,
    5000,
    10_000,
    15_000,
    30_000,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    28 * DAY,
    91 * DAY,
    364 * DAY,
];
const MOST_MARKS: u64 = 9;

/// Draws the report. What cannot fail is not asked.
pub fn svg(report: &Report<'_>) -> String {
    let shown = u32::try_from(report.shown.len()).unwrap_or(u32::MAX);
    let rows = f64::from(shown.div_ceil(LEGEND_COLUMNS));
    let height = TOP + HEIGHT + LEGEND + rows * ROW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222\">\n\
         <title>Risk scores over time</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let title = format!(
        "Risk scores of {} of {} identities, {} to {} (UTC)",
        report.shown.len(),
        report.identities,
        instant::text(report.span.first),
        instant::text(report.span.last)
    );
    text(&mut svg, (LEFT, 26.0), "font-size=\"16\"", &title);
    scale(&mut svg);
    times(&mut svg, report.span);
    report
        .actions
        .iter()
        .for_each(|action| threshold(&mut svg, action));
    // The first is drawn last, over the others.
    for (place, shown) in report.shown.iter().enumerate().rev() {
        curve(&mut svg, place, shown, report.span);
    }
    for (place, shown) in (0..).zip(&report.shown) {
        legend(&mut svg, place, shown);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The plot with the table, as a page that needs nothing else.
pub fn html(report: &Report<'_>) -> String {
    let table: Vec<String> = table::write(report).lines().map(markup).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <title>Risk scores over time</title>\n\
         <style>body {{ margin: 1rem; }} svg {{ max-width: 1200px; width: 100%; }} \
         pre {{ overflow-x: auto; }}</style>\n\
         </head>\n<body>\n{}<pre>\n{}\n</pre>\n</body>\n</html>\n",
        svg(report),
        table.join("\n")
    )
}

fn scale(svg: &mut String) {
    for score in [0_u8, 20, 40, 60, 80, 100] {
        let y = height_of(score);
        line(svg, (LEFT, y), (right(), y), "stroke=\"#ddd\"");
        let place = "text-anchor=\"end\"";
        text(svg, (LEFT - 8.0, y + 4.0), place, &score.to_string());
    }
    let middle = TOP + HEIGHT / 2.0;
    let turned = format!("text-anchor=\"middle\" transform=\"rotate(-90 16 {middle:.1})\"");
    text(svg, (16.0, middle), &turned, "score");
}

/// Marks at whole steps of the clock; the date stands below where it is another one.
fn times(svg: &mut String, span: Span) {
    let length = span.last.saturating_sub(span.first);
    let enough = |step: &&u64| length.checked_div(**step).unwrap_or_default() < MOST_MARKS;
    let longest = STEPS.last().copied().unwrap_or(DAY);
    let step = STEPS.iter().find(enough).copied().unwrap_or(longest);
    let bottom = TOP + HEIGHT;
    let mut date = String::new();
    let mut at = span.first.next_multiple_of(step);
    // Not even the first second may be on a whole step.
    if at > span.last {
        at = span.first;
    }
    for _ in 0..MOST_MARKS.saturating_mul(2) {
        if at > span.last {
            break;
        }
        let x = place_of(at, span);
        line(svg, (x, bottom), (x, bottom + 5.0), "stroke=\"#222\"");
        let clock = instant::clock(at);
        let clock = clock.get(..if step < MINUTE { 8 } else { 5 });
        let middle = "text-anchor=\"middle\"";
        text(svg, (x, bottom + 19.0), middle, clock.unwrap_or_default());
        let moment = instant::text(at);
        let today = moment.split('T').next().unwrap_or_default();
        if date != today {
            text(svg, (x, bottom + 35.0), middle, today);
            today.clone_into(&mut date);
        }
        at = at.saturating_add(step);
    }
    line(svg, (LEFT, bottom), (right(), bottom), "stroke=\"#222\"");
}

fn threshold(svg: &mut String, action: &Action) {
    let (what, colour) = match action.deed {
        Deed::Tag => ("tag".to_owned(), "#b8860b"),
        Deed::Throttle(factor) => (format!("throttle, cost x{factor}"), "#c2410c"),
        Deed::Deny => ("deny".to_owned(), "#b00020"),
    };
    let y = height_of(action.at);
    let style = format!("stroke=\"{colour}\" stroke-dasharray=\"6 4\" class=\"threshold\"");
    line(svg, (LEFT, y), (right(), y), &style);
    let label = format!("{} {what}", action.at);
    let fill = format!("fill=\"{colour}\"");
    text(svg, (right() + 6.0, y + 4.0), &fill, &label);
}

fn curve(svg: &mut String, place: usize, shown: &Shown<'_>, span: Span) {
    let mut points = String::new();
    for (at, point) in bends(&shown.curve) {
        let begin = span.begin(at);
        let end = span.begin(at.saturating_add(1));
        let middle = begin.saturating_add(end.saturating_sub(begin) / 2);
        let (x, y) = (place_of(middle, span), height_of(point));
        let _ = write!(points, "{x:.1},{y:.1} ");
        // A line needs an end, even where it is a dot.
        if shown.curve.len() == 1 {
            let _ = write!(points, "{x:.1},{y:.1} ");
        }
    }
    let highest = &shown.totals.highest;
    let about = format!(
        "{}: highest {} at {}",
        shown.identity,
        highest.score,
        instant::text(highest.time)
    );
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke-width=\"1.6\" stroke-linejoin=\"round\" \
         stroke-linecap=\"round\" {} points=\"{}\"><title>{}</title></polyline>",
        stroke(place),
        points.trim_end(),
        markup(&about)
    );
}

/// The points where a curve changes: those within a straight level are left out.
fn bends(curve: &[Point]) -> impl Iterator<Item = (u64, u8)> + '_ {
    let before = std::iter::once(None).chain(curve.iter().map(Some));
    let after = curve.iter().skip(1).map(Some).chain([None]);
    let around = before.zip(curve).zip(after);
    let bends = around.filter(|((before, point), after)| {
        let same = |other: &Option<&Point>| other.is_some_and(|other| other.score == point.score);
        !(same(before) && same(after))
    });
    bends.map(|((_, point), _)| (point.slot, point.score))
}

fn legend(svg: &mut String, place: u32, shown: &Shown<'_>) {
    let column = f64::from(place.checked_rem(LEGEND_COLUMNS).unwrap_or_default());
    let row = f64::from(place.checked_div(LEGEND_COLUMNS).unwrap_or_default());
    let x = LEFT + column * (WIDTH - LEFT) / f64::from(LEGEND_COLUMNS);
    let y = TOP + HEIGHT + LEGEND + row * ROW;
    let colour = stroke(usize::try_from(place).unwrap_or_default());
    let style = format!("stroke-width=\"2\" {colour}");
    line(svg, (x, y - 4.0), (x + 26.0, y - 4.0), &style);
    let own = if shown.own_actions.is_some() {
        ", with thresholds of its own"
    } else {
        ""
    };
    let name = shortened(&printable(shown.identity), NAME);
    let label = format!("{name} ({}{own})", shown.totals.highest.score);
    text(svg, (x + 32.0, y), "class=\"legend\"", &label);
}

fn stroke(place: usize) -> String {
    let dashed = DASHES
        .iter()
        .flat_map(|dashes| COLOURS.map(|colour| (colour, *dashes)));
    let (colour, dashes) = dashed.cycle().nth(place).unwrap_or_default();
    format!("stroke=\"{colour}\" stroke-dasharray=\"{dashes}\"")
}

fn right() -> f64 {
    WIDTH - RIGHT
}

fn height_of(score: u8) -> f64 {
    TOP + HEIGHT * (1.0 - f64::from(score) / 100.0)
}

#[allow(clippy::cast_precision_loss, reason = "a tenth of a pixel is enough")]
fn place_of(time: u64, span: Span) -> f64 {
    let length = span.last.saturating_sub(span.first).max(1) as f64;
    let since = time.saturating_sub(span.first) as f64;
    LEFT + (right() - LEFT) * (since / length).min(1.0)
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), style: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" {style}/>"
    );
}

fn text(svg: &mut String, at: (f64, f64), style: &str, content: &str) {
    let (x, y) = at;
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{}</text>",
        markup(content)
    );
}
