//! Curves as SVG, and a page that holds them: one file, which needs nothing else.

use std::fmt::Write as _;

/// A curve with its name.
pub struct Curve {
    /// What it shows.
    pub name: String,
    /// Its points from left to right.
    pub points: Vec<(f64, f64)>,
}

/// What the axes mean and how far they go.
pub struct Axes<'a> {
    /// From left to right.
    pub x: &'a str,
    /// From the bottom up.
    pub y: &'a str,
    /// The right end; what lies beyond is cut off.
    pub right: f64,
    /// The top.
    pub top: f64,
    /// Upright lines with their names.
    pub marks: &'a [(f64, String)],
}

const COLOURS: [&str; 6] = ["#1668b5", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#0f766e"];
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 60.0;
const BELOW: f64 = 40.0;
const ABOVE: f64 = 12.0;

/// A picture of some curves.
#[must_use]
pub fn svg(axes: &Axes<'_>, curves: &[Curve]) -> String {
    let (wide, high) = (WIDTH - LEFT - 12.0, HEIGHT - BELOW - ABOVE);
    let x = |value: f64| LEFT + (value / axes.right).clamp(0.0, 1.0) * wide;
    let y = |value: f64| ABOVE + high - (value / axes.top).clamp(0.0, 1.0) * high;
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"><g class=\"axes\">");
    for step in 0..=5_u32 {
        let (across, up) = (axes.right * f64::from(step) / 5.0, axes.top * f64::from(step) / 5.0);
        let (at_x, at_y) = (x(across), y(up));
        let _ = write!(svg, "<path d=\"M{at_x:.1} {ABOVE}V{:.1}M{LEFT} {at_y:.1}H{:.1}\"/>", ABOVE + high, LEFT + wide);
        let _ =
            write!(svg, "<text x=\"{at_x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", ABOVE + high + 14.0, short(across));
        let _ = write!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>", LEFT - 5.0, at_y + 4.0, short(up));
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        LEFT + wide / 2.0,
        HEIGHT - 8.0,
        escape(axes.x)
    );
    let middle = ABOVE + high / 2.0;
    let _ = write!(
        svg,
        "<text transform=\"translate(14 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text></g>",
        escape(axes.y)
    );
    for (at, name) in axes.marks {
        let at = x(*at);
        let _ = write!(svg, "<path class=\"mark\" d=\"M{at:.1} {ABOVE}V{:.1}\"/>", ABOVE + high);
        let _ = write!(svg, "<text class=\"mark\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", at + 3.0, ABOVE + high - 5.0, escape(name));
    }
    for (number, (curve, colour)) in curves.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let points: Vec<String> = curve.points.iter().map(|(across, up)| format!("{:.1},{:.1}", x(*across), y(*up))).collect();
        let _ = write!(svg, "<polyline stroke=\"{colour}\" points=\"{}\"/>", points.join(" "));
        let line = ABOVE + 14.0 + 14.0 * number as f64;
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{line:.1}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
            LEFT + wide - 6.0,
            escape(&curve.name)
        );
    }
    svg + "</svg>"
}

/// The share of the values up to each value, as a curve; the values are sorted.
#[must_use]
pub fn distribution(name: &str, sorted: &[f64]) -> Curve {
    let last = sorted.len().saturating_sub(1).max(1);
    // As many points as can be told apart, and each of the last ones, which matter most.
    let step = (sorted.len() / 400).max(1);
    let kept = (0..sorted.len()).filter(|index| index % step == 0 || last - index.min(&last) < 20);
    let points = kept.filter_map(|index| Some((*sorted.get(index)?, index as f64 / last as f64 * 100.0))).collect();
    Curve { name: name.to_owned(), points }
}

/// A page of its own: a title, a text already in HTML, and sections of a heading and what stands below it.
#[must_use]
pub fn page(title: &str, intro: &str, sections: &[(String, String)]) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><style>\
         body{{font:15px/1.5 system-ui,sans-serif;max-width:1320px;margin:2em auto;padding:0 1em;color:#1c1917}}\
         pre{{overflow-x:auto;background:#f5f5f4;padding:1em;font-size:12px;line-height:1.35}}\
         .plots{{display:grid;grid-template-columns:repeat(auto-fit,minmax(480px,1fr));gap:1em}}\
         svg{{width:100%;font:11px system-ui,sans-serif}}.axes path{{stroke:#e7e5e4;fill:none}}.axes text{{fill:#57534e}}\
         path.mark{{stroke:#1c1917;stroke-dasharray:3 3}}polyline{{fill:none;stroke-width:1.6}}h3{{margin:0.5em 0 0}}\
         </style><h1>{title}</h1>{intro}<div class=\"plots\">",
        title = escape(title)
    );
    for (heading, body) in sections {
        let _ = write!(page, "<section><h3>{}</h3>{body}</section>", escape(heading));
    }
    page + "</div></html>\n"
}

/// Text as HTML shows it.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn short(value: f64) -> String {
    format!("{value:.1}").trim_end_matches(".0").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_holds_its_curves_and_names_within_its_frame() {
        let axes = Axes { x: "delay, ms", y: "%", right: 10.0, top: 100.0, marks: &[(5.0, "L0 <here>".to_owned())] };
        let svg = svg(&axes, &[distribution("Ana", &[1.0, 2.0, 3.0, 400.0])]);
        assert!(svg.contains("L0 &lt;here&gt;") && svg.contains(">Ana</text>"), "{svg}");
        let right = LEFT + (WIDTH - LEFT - 12.0);
        assert!(svg.contains(&format!("{right:.1},{ABOVE:.1}\"/>")), "what lies beyond is cut off: {svg}");
        assert!(page("T", "", &[("<b>".to_owned(), svg)]).contains("&lt;b&gt;"));
    }
}
