//! A cube of points, numbered plane by plane.

/// A cube with `n` points along each edge.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Points along an edge.
    pub n: usize,
}

impl Grid {
    /// Returns the number of points of a plane.
    pub fn plane(&self) -> usize {
        self.n.saturating_mul(self.n)
    }

    /// Returns the place of a point: x, y, z.
    pub fn place(&self, index: usize) -> [usize; 3] {
        let n = self.n;
        [index % n, index / n % n, index / n / n]
    }

    /// Returns the neighbours of a coordinate, and itself, as far as they are in the cube.
    fn around(&self, at: usize) -> core::ops::Range<usize> {
        at.saturating_sub(1)..(at + 2).min(self.n)
    }

    /// Returns the sum of `values` over the point and its up to 26 neighbours, in a fixed order.
    pub fn sum_27(&self, values: &[f64], index: usize) -> f64 {
        let [x, y, z] = self.place(index);
        let (row, n) = (self.around(x), self.n);
        let mut sum = 0.0;
        for z in self.around(z) {
            for y in self.around(y) {
                let start = (z * n + y) * n;
                for value in &values[start + row.start..start + row.end] {
                    sum += value;
                }
            }
        }
        sum
    }

    /// Returns the number of points that [`sum_27`](Self::sum_27) adds up.
    pub fn count_27(&self, index: usize) -> usize {
        self.place(index)
            .map(|at| self.around(at).len())
            .iter()
            .product()
    }

    /// Returns the sum of `values` over the up to 6 neighbours that share a face with the point.
    pub fn sum_6(&self, values: &[f64], index: usize) -> f64 {
        let place = self.place(index);
        let strides = [1, self.n, self.plane()];
        let mut sum = 0.0;
        for (at, stride) in place.into_iter().zip(strides) {
            if at > 0 {
                sum += values[index - stride];
            }
            if at + 1 < self.n {
                sum += values[index + stride];
            }
        }
        sum
    }
}
