//! A chart as SVG and PNG.

use std::ops::Range;
use std::sync::OnceLock;

use pddflow_artifact::failure::NodeResult;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::register_font;

use super::axis::Axis;
use super::chart::{Chart, Line, Marks, Points};
use super::png::png;

/// Pixels of the PNG for one of the SVG: screens and papers show small text badly.
const PNG_SCALE: u32 = 2;
/// Colours that people with the usual kinds of colour blindness tell apart (Okabe and Ito), black last.
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(240, 228, 66),
    RGBColor(0, 0, 0),
];
/// Grid lines shine through bars.
const BAR_OPACITY: f64 = 0.8;
const FONT: &str = "sans-serif";
const GRID: RGBColor = RGBColor(225, 225, 225);

/// Sizes at scale 1, in pixels.
const TEXT: u32 = 13;
const TITLE: u32 = 16;
const MARGIN: u32 = 10;
const X_LABELS: u32 = 42;
const Y_LABELS: u32 = 54;
const MARK: u32 = 4;
const CAP: u32 = 6;
const LEGEND_LINE: u32 = 24;

type Failure = String;
type Cartesian = Cartesian2d<Ruler, Ruler>;

/// The chart as SVG text of `width` x `height` pixels.
pub(crate) fn svg(chart: &Chart, width: u32, height: u32) -> NodeResult<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        draw(&area, chart, 1).map_err(|failure| undrawable(&failure))?;
    }
    Ok(text)
}

/// The chart as a PNG, of twice the size.
pub(crate) fn bitmap(chart: &Chart, width: u32, height: u32) -> NodeResult<Vec<u8>> {
    let (width, height) = (PNG_SCALE * width, PNG_SCALE * height);
    let mut pixels = vec![0; 3 * width as usize * height as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        draw(&area, chart, PNG_SCALE).map_err(|failure| undrawable(&failure))?;
    }
    png(&pixels, width as usize, height as usize, 3)
}

fn undrawable(failure: &str) -> pddflow_runner::NodeError {
    pddflow_runner::NodeError::internal(format!("a figure cannot be drawn: {failure}"))
}

/// The program's own font takes the place of the system's, once.
fn load_font() -> Result<(), Failure> {
    static LOADED: OnceLock<bool> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| register_font(FONT, FontStyle::Normal, dejavu::sans::regular()).is_ok());
    if *loaded { Ok(()) } else { Err("its font cannot be read".to_owned()) }
}

fn draw<DB: DrawingBackend>(area: &DrawingArea<DB, Shift>, chart: &Chart, scale: u32) -> Result<(), Failure> {
    load_font()?;
    area.fill(&WHITE).map_err(text)?;
    let font = (FONT, TEXT * scale).into_font();
    let mut builder = ChartBuilder::on(area);
    builder.margin(MARGIN * scale);
    builder.set_label_area_size(LabelAreaPosition::Bottom, X_LABELS * scale);
    builder.set_label_area_size(LabelAreaPosition::Left, Y_LABELS * scale);
    if let Some(title) = &chart.title {
        builder.caption(title, (FONT, TITLE * scale).into_font());
    }
    let mut context = builder.build_cartesian_2d(Ruler(chart.x.clone()), Ruler(chart.y.clone())).map_err(text)?;
    let (x_text, y_text) = (|place: &f64| chart.x.text(*place), |place: &f64| chart.y.text(*place));
    context
        .configure_mesh()
        .bold_line_style(GRID.stroke_width(scale))
        .light_line_style(TRANSPARENT)
        .axis_style(BLACK.stroke_width(scale))
        .x_desc(chart.x_label.as_str())
        .y_desc(chart.y_label.as_str())
        .x_label_formatter(&x_text)
        .y_label_formatter(&y_text)
        .label_style(font.clone())
        .axis_desc_style(font.clone())
        .draw()
        .map_err(text)?;
    match &chart.marks {
        Marks::Lines { lines, error_bars } => {
            for (number, line) in lines.iter().enumerate() {
                Pen { chart, number, scale, error_bars: *error_bars }.line(&mut context, line)?;
            }
            context
                .configure_series_labels()
                .position(SeriesLabelPosition::LowerRight)
                .background_style(WHITE.mix(0.85))
                .border_style(GRID.stroke_width(scale))
                .legend_area_size(LEGEND_LINE * scale)
                .margin(MARGIN * scale)
                .label_font(font)
                .draw()
                .map_err(text)?;
        }
        Marks::Bars(bars) => {
            for bar in bars {
                let (left, right) = (chart.x.place(bar.from), chart.x.place(bar.to));
                let plain = (bar.count - bar.marked) as f64;
                let parts = [(0.0, plain, COLORS[0]), (plain, bar.count as f64, COLORS[1])];
                let drawn = parts.into_iter().filter(|(low, high, _)| high > low).map(|(low, high, color)| {
                    Rectangle::new([(left, low), (right, high)], color.mix(BAR_OPACITY).filled())
                });
                context.draw_series(drawn).map_err(text)?;
            }
        }
    }
    drop(context);
    area.present().map_err(text)
}

/// An axis as the drawing library asks for it.
struct Ruler(Axis);

impl Ranged for Ruler {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (place - self.0.from) / (self.0.to - self.0.from);
        #[expect(clippy::cast_possible_truncation, reason = "a place in a picture")]
        let pixels = (share * f64::from(last - first)).round() as i32;
        first + pixels
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // The light ones are lines without numbers; there are none.
        if hint.weight().allow_light_points() { Vec::new() } else { self.0.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.0.from..self.0.to
    }
}

fn text<E: std::fmt::Display>(error: E) -> Failure {
    error.to_string()
}

/// Draws the line of a number in its colour and with its mark.
struct Pen<'a> {
    chart: &'a Chart,
    number: usize,
    scale: u32,
    error_bars: bool,
}

impl Pen<'_> {
    fn line<'a, DB: DrawingBackend + 'a>(
        &self,
        context: &mut ChartContext<'a, DB, Cartesian>,
        line: &Line,
    ) -> Result<(), Failure> {
        let color = COLORS[self.number % COLORS.len()];
        let (scale, chart) = (self.scale, self.chart);
        let style = color.stroke_width(2 * scale);
        let dash = 5 * scale;
        match &line.points {
            Points::Level(level) => {
                let ends = [(chart.x.from, level.mean), (chart.x.to, level.mean)];
                let series = DashedLineSeries::new(ends, dash, dash, style);
                let drawn = context.draw_series(series).map_err(text)?;
                drawn.label(line.name.clone()).legend(move |(x, y)| {
                    DashedPathElement::new([(x, y), (x + pixels(LEGEND_LINE * scale), y)], dash, dash, style)
                });
            }
            Points::Along(points) => {
                let places: Vec<(f64, f64)> =
                    points.iter().map(|point| (chart.x.place(point.x), point.y.mean)).collect();
                if self.error_bars {
                    for (point, (x, mean)) in points.iter().zip(&places) {
                        self.error_bar(context, *x, (mean - point.y.std, mean + point.y.std), color)?;
                    }
                }
                let drawn = context.draw_series(LineSeries::new(places.clone(), style)).map_err(text)?;
                let (number, width) = (self.number, pixels(LEGEND_LINE * scale));
                drawn.label(line.name.clone()).legend(move |place| {
                    let stroke = PathElement::new(vec![(0, 0), (width, 0)], style);
                    EmptyElement::at(place) + stroke + mark((width / 2, 0), number, scale)
                });
                let marks = places.into_iter().map(|place| EmptyElement::at(place) + mark((0, 0), number, scale));
                context.draw_series(marks).map_err(text)?;
            }
        }
        Ok(())
    }

    /// A vertical bar with a cap at both ends.
    fn error_bar<'a, DB: DrawingBackend + 'a>(
        &self,
        context: &mut ChartContext<'a, DB, Cartesian>,
        x: f64,
        (low, high): (f64, f64),
        color: RGBColor,
    ) -> Result<(), Failure> {
        if high <= low {
            return Ok(());
        }
        let style = color.stroke_width(self.scale);
        let half = pixels(CAP * self.scale / 2);
        let bar = PathElement::new(vec![(x, low), (x, high)], style);
        context.draw_series(std::iter::once(bar)).map_err(text)?;
        let cap = |y: f64| EmptyElement::at((x, y)) + PathElement::new(vec![(-half, 0), (half, 0)], style);
        context.draw_series([cap(low), cap(high)]).map_err(text)?;
        Ok(())
    }
}

/// A filled mark around a place in pixels: its form, with the colour, tells lines apart.
fn mark((x, y): (i32, i32), number: usize, scale: u32) -> Polygon<(i32, i32)> {
    let corners: &[(f64, f64)] = match number % 4 {
        0 => &OCTAGON,
        1 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        2 => &[(0.0, -1.2), (1.1, 0.9), (-1.1, 0.9)],
        _ => &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
    };
    let size = f64::from(MARK * scale);
    #[expect(clippy::cast_possible_truncation, reason = "a few pixels")]
    let corner = |(right, down): &(f64, f64)| (x + (right * size).round() as i32, y + (down * size).round() as i32);
    let corners: Vec<(i32, i32)> = corners.iter().map(corner).collect();
    Polygon::new(corners, COLORS[number % COLORS.len()].filled())
}

/// Nearly a circle.
const OCTAGON: [(f64, f64); 8] = [
    (1.0, 0.414),
    (0.414, 1.0),
    (-0.414, 1.0),
    (-1.0, 0.414),
    (-1.0, -0.414),
    (-0.414, -1.0),
    (0.414, -1.0),
    (1.0, -0.414),
];

fn pixels(length: u32) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::axis::Scale;
    use super::super::bar::Bar;
    use super::super::chart::{Point, Spread};
    use super::*;

    fn lines() -> Chart {
        let y = |mean| Spread { mean, std: 2.0, seeds: 1, nets: 3 };
        let along =
            |first: f64| Points::Along(vec![Point { x: 1.0, y: y(first) }, Point { x: 10.0, y: y(first + 20.0) }]);
        let line = |name: &str, points| Line { name: name.to_owned(), points };
        Chart {
            title: Some("A & B".into()),
            x_label: "images per class".into(),
            y_label: "test accuracy (%)".into(),
            x: Axis::over(&[1.0, 10.0], Scale::Log),
            y: Axis::percent(&[40.0, 85.0]),
            marks: Marks::Lines {
                lines: vec![line("DM", along(40.0)), line("DSA", along(45.0)), line("full", Points::Level(y(84.8)))],
                error_bars: true,
            },
        }
    }

    #[test]
    fn a_figure_has_its_words_and_the_same_bytes_each_time() {
        let text = svg(&lines(), 400, 300).unwrap();
        for word in ["DM", "DSA", "full", "images per class", "test accuracy (%)", "A &amp; B"] {
            assert!(text.contains(word), "{word} is not in {text}");
        }
        assert_eq!(svg(&lines(), 400, 300).unwrap(), text);
        let picture = bitmap(&lines(), 200, 150).unwrap();
        assert_eq!(bitmap(&lines(), 200, 150).unwrap(), picture);
        let picture = image::load_from_memory(&picture).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (400, 300));
        let has = |color: RGBColor| picture.pixels().any(|pixel| pixel.0 == [color.0, color.1, color.2]);
        assert!(has(COLORS[0]) && has(COLORS[1]) && has(COLORS[2]) && has(WHITE));
    }

    #[test]
    fn a_histogram_has_bars() {
        let marks = Marks::Bars(vec![
            Bar { from: -0.5, to: 0.5, count: 3, marked: 1 },
            Bar { from: 0.5, to: 1.5, count: 1, marked: 0 },
        ]);
        let chart = Chart { marks, x: Axis::over(&[-0.5, 0.5, 1.5], Scale::Linear), y: Axis::count(3.0), ..lines() };
        let text = svg(&chart, 400, 300).unwrap();
        assert!(text.matches("<rect").count() >= 4, "the background, two bars, one of two parts: {text}");
        assert_eq!(chart.csv(), "from,to,count\n-0.5,0.5,3\n0.5,1.5,1\n");
    }
}
