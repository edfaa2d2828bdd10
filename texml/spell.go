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
	if meant := Nearest(name, known); meant != "" {
		return "did you mean " + meant + "?"
	}
	return ""
}

// Nearest gives the known name that was probably meant by name, or "". Case,
// blanks, - and _ are no difference.
func Nearest(name string, known []string) string {
	name = plain(name)
	best, least := "", 1<<30
	for _, k := range known {
		p := plain(k)
		if p == name {
			return k
		}
		if len(name) >= 4 && strings.HasPrefix(p, name) && least > 1 {
			best, least = k, 1 // cut short, as lang for language
		}
		if !closeTo(max(len(p)-len(name), len(name)-len(p)), p) {
			continue // so many letters are missing or too many at least
		}
		if d := distance(name, p); d < least && closeTo(d, p) {
			best, least = k, d
		}
	}
	return best
}

func plain(name string) string { return strings.ToLower(joints.Replace(name)) }

var joints = strings.NewReplacer(" ", "", "-", "", "_", "")

// near reports whether a is likely a slip for b.
func near(a, b string) bool { return closeTo(distance(strings.ToLower(a), strings.ToLower(b)), b) }

// closeTo reports whether so many edits still look like a slip for name.
func closeTo(edits int, name string) bool { return edits <= 1+len(name)/5 && 2*edits < len(name) }

// distance counts the letters to add, drop, change or swap with a neighbour to
// turn a into b (optimal string alignment). Names over 40 bytes count as far.
func distance(a, b string) int {
	if len(a) > 40 || len(b) > 40 {
		return 1 << 20
	}
	var rows [3][42]int // row i holds what becomes of the first i letters of a; three are needed at a time
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := range len(a) {
		before, above, row := &rows[(i+2)%3], &rows[i%3], &rows[(i+1)%3]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
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
