//! Where characters go.

use crate::Canvas;

/// Text on a canvas. The row below the newest one is blank, which shows where the text ends.
#[derive(Debug)]
pub struct TextScreen<C> {
    canvas: C,
    column: usize,
    row: usize,
    /// The next cell of the row below that is to be cleared.
    clear_from: usize,
}

impl<C: Canvas> TextScreen<C> {
    /// Takes a canvas; text begins in the upper left corner.
    pub fn new(canvas: C) -> Self {
        Self {
            canvas,
            column: 0,
            row: 0,
            clear_from: 0,
        }
    }

    /// Returns the canvas.
    pub fn canvas(&self) -> &C {
        &self.canvas
    }

    /// Clears all cells and begins at the top. Takes long.
    pub fn clear(&mut self) {
        for row in 0..self.canvas.rows() {
            for column in 0..self.canvas.columns() {
                self.canvas.draw(column, row, b' ');
            }
        }
        (self.column, self.row, self.clear_from) = (0, 0, self.canvas.columns());
    }

    /// Draws one cell: clears one, or takes the `next` character. Returns whether there may be more to do.
    ///
    /// A character that cannot be printed is shown as `?`; a line end begins a row, and so does the end of a row.
    pub fn step(&mut self, next: impl FnOnce() -> Option<u8>) -> bool {
        if self.clear_from < self.canvas.columns() {
            self.canvas.draw(self.clear_from, self.row_below(), b' ');
            self.clear_from += 1;
            return true;
        }
        match next() {
            None => return false,
            Some(b'\n') => self.begin_row(),
            Some(b'\r') => {}
            Some(character) => {
                if self.column == self.canvas.columns() {
                    // The character comes first in the new row, whose cells were cleared when it was the row below.
                    self.begin_row();
                }
                let shown = match character {
                    b' '..=b'~' => character,
                    _ => b'?',
                };
                self.canvas.draw(self.column, self.row, shown);
                self.column += 1;
            }
        }
        true
    }

    fn begin_row(&mut self) {
        self.row = self.row_below();
        (self.column, self.clear_from) = (0, 0);
    }

    fn row_below(&self) -> usize {
        (self.row + 1) % self.canvas.rows()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    struct Grid {
        cells: Vec<Vec<u8>>,
        drawn: usize,
    }

    impl Canvas for Grid {
        fn columns(&self) -> usize {
            self.cells[0].len()
        }

        fn rows(&self) -> usize {
            self.cells.len()
        }

        fn draw(&mut self, column: usize, row: usize, character: u8) {
            self.cells[row][column] = character;
            self.drawn += 1;
        }
    }

    fn screen(columns: usize, rows: usize) -> TextScreen<Grid> {
        let mut screen = TextScreen::new(Grid {
            cells: vec![vec![b'#'; columns]; rows],
            drawn: 0,
        });
        screen.clear();
        screen
    }

    /// Shows `text`; no step draws more than one cell.
    fn show(screen: &mut TextScreen<Grid>, text: &str) {
        let mut bytes = text.bytes();
        loop {
            let before = screen.canvas.drawn;
            let has_more = screen.step(|| bytes.next());
            assert!(screen.canvas.drawn <= before + 1);
            if !has_more {
                break;
            }
        }
    }

    fn rows(screen: &TextScreen<Grid>) -> Vec<String> {
        let text = |row: &Vec<u8>| String::from_utf8(row.clone()).unwrap();
        let rows = screen.canvas.cells.iter();
        rows.map(|row| text(row).trim_end().into()).collect()
    }

    #[test]
    fn lines_follow_each_other_and_the_oldest_gives_way() {
        let mut screen = screen(8, 3);
        show(&mut screen, "one\ntwo");
        assert_eq!(rows(&screen), ["one", "two", ""]);
        show(&mut screen, "\nthree");
        assert_eq!(rows(&screen), ["", "two", "three"]);
        show(&mut screen, "\nfour");
        assert_eq!(rows(&screen), ["four", "", "three"]);
    }

    #[test]
    fn a_long_line_goes_on_in_the_next_row() {
        let mut screen = screen(4, 5);
        show(&mut screen, "abcd\nefghi\n");
        assert_eq!(rows(&screen), ["abcd", "efgh", "i", "", ""]);
    }

    #[test]
    fn what_cannot_be_printed_is_shown_as_such() {
        let mut screen = screen(8, 2);
        show(&mut screen, "a\r\u{1b}\u{7f}é");
        assert_eq!(rows(&screen)[0], "a????");
    }

    #[test]
    fn a_screen_of_one_cell_ends() {
        let mut screen = screen(1, 1);
        show(&mut screen, "ab\nc\n");
    }
}
