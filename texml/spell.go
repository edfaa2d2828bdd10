package texml

import (
	"slices"
	"strconv"
	"strings"
)

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

// quoted gives s in quotes, cut to a length that fits a message.
func quoted(s string) string { return strconv.Quote(cut(s, 40)) }

// cut shortens s to at most n bytes and marks the cut.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// suggest says which of the known names was meant.
func suggest(name string, known []string) string {
	for _, k := range known {
		if equalFold(name, k) {
			return "names are case-sensitive: write " + k
		}
	}
	best, least := "", 1<<30
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least && closeTo(d, k) {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// near reports whether a is likely a slip for b.
func near(a, b string) bool { return closeTo(distance(strings.ToLower(a), strings.ToLower(b)), b) }

// closeTo reports whether so many edits still look like a slip for name.
func closeTo(edits int, name string) bool { return edits <= 1+len(name)/5 && edits < len(name) }

// distance counts the letters to add, drop, change or swap with a neighbour to
// turn a into b (optimal string alignment). Names over 40 bytes count as far.
func distance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 1 << 20
	}
	var rows [3][42]int // the two rows before the current one, and it
	for j := range len(b) + 1 {
		rows[1][j] = j
	}
	for i := range len(a) {
		rows[2][0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			rows[2][j+1] = min(rows[1][j+1]+1, rows[2][j]+1, rows[1][j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				rows[2][j+1] = min(rows[2][j+1], rows[0][j-1]+1)
			}
		}
		rows[0], rows[1] = rows[1], rows[2]
	}
	return rows[1][len(b)]
}

// orList gives "A, B or C".
func orList(names []string) string { return joined(names, "or") }

// andList gives "A, B and C".
func andList(names []string) string { return joined(names, "and") }

func joined(names []string, word string) string {
	names = slices.Clone(names)
	if n := len(names); n > 1 {
		names = append(names[:n-2], names[n-2]+" "+word+" "+names[n-1])
	}
	return strings.Join(names, ", ")
}
