use super::Look;

/// A table for people: columns as wide as their longest cell, the last one as long as it is.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<(String, Look)>>,
}

impl Table {
    /// A table with a head.
    pub fn new<const N: usize>(head: [&str; N]) -> Self {
        let head = head.map(|cell| (cell.to_owned(), Look::Weak));
        Self {
            rows: vec![head.into()],
        }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [(&str, Look); N]) {
        self.rows
            .push(cells.map(|(text, look)| (text.to_owned(), look)).into());
    }

    /// Says whether there is nothing but the head.
    pub fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            for (column, (text, _)) in row.iter().enumerate() {
                let width = text.chars().count();
                match widths.get_mut(column) {
                    Some(widest) => *widest = width.max(*widest),
                    None => widths.push(width),
                }
            }
        }
        for (number, row) in self.rows.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            let mut gap = 0;
            for ((text, look), width) in row.iter().zip(&widths) {
                if !text.is_empty() {
                    write!(f, "{:gap$}{}", "", look.paint(text))?;
                    gap = 0;
                }
                gap += width + 2
                    - if text.is_empty() {
                        0
                    } else {
                        text.chars().count()
                    };
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let mut table = Table::new(["a", "b", "c"]);
        table.row([("long", Look::Plain), ("", Look::Plain), ("x", Look::Plain)]);
        table.row([("s", Look::Plain), ("yy", Look::Plain), ("", Look::Plain)]);
        let plain = anstream::adapter::strip_str(&table.to_string()).to_string();
        assert_eq!(plain, "a     b   c\nlong      x\ns     yy");
    }
}
