//! The chart: how much harm is found within which time, as SVG.

use std::fmt::Write as _;
use std::path::Path;

/// Seconds that the chart begins and ends at, both on a logarithmic scale.
const FIRST: f64 = 1.0;
const LAST: f64 = 21_600.0;
const TICKS: [(f64, &str); 8] = [
    (1.0, "1 s"),
    (5.0, "5 s"),
    (10.0, "10 s"),
    (30.0, "30 s"),
    (60.0, "1 min"),
    (600.0, "10 min"),
    (3600.0, "1 h"),
    (21_600.0, "6 h"),
];
/// Of Okabe and Ito (2008): told apart by those who are colour-blind too.
const COLOURS: [&str; 8] =
    ["#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#999999"];
const LEFT: f64 = 60.0;
const TOP: f64 = 40.0;
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;

/// One line: its name, the seconds after which the guard acted, sorted, and how many were played.
pub type Line = (String, Vec<f64>, usize);

/// Writes the chart.
pub fn write(path: &Path, lines: &[Line]) -> std::io::Result<()> {
    std::fs::write(path, svg(lines))
}

fn x(seconds: f64) -> f64 {
    LEFT + WIDTH * (seconds.clamp(FIRST, LAST) / FIRST).ln() / (LAST / FIRST).ln()
}

fn y(share: f64) -> f64 {
    TOP + HEIGHT * (1.0 - share)
}

fn svg(lines: &[Line]) -> String {
    let height = TOP + HEIGHT + 60.0 + 18.0 * lines.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 680 {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"680\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"14\">Rollouts whose 1 % errors became 10 %: share acted on within that time</text>\n"
    );
    for (seconds, name) in TICKS {
        let (x, bottom) = (x(seconds), TOP + HEIGHT);
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"#dddddd\"/><text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>",
            bottom + 18.0
        );
    }
    for percent in [0, 25, 50, 75, 100] {
        let y = y(f64::from(percent) / 100.0);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y}h{WIDTH}\" stroke=\"#dddddd\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{percent} %</text>",
            LEFT - 8.0,
            y + 4.0
        );
    }
    for (index, ((name, seconds, played), colour)) in lines.iter().zip(COLOURS).enumerate() {
        let mut path = format!("M{LEFT} {}", y(0.0));
        for (count, seconds) in seconds.iter().enumerate() {
            let _ = write!(path, "H{:.1}V{:.1}", x(*seconds), y((count + 1) as f64 / *played as f64));
        }
        let _ = write!(path, "H{}", LEFT + WIDTH);
        let at = TOP + HEIGHT + 50.0 + 18.0 * index as f64;
        let _ = writeln!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n\
             <path d=\"M{LEFT} {}h24\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{}\" y=\"{at}\">{name}</text>",
            at - 4.0,
            LEFT + 32.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}
