package main

import "strings"

// closest is the known name that was probably meant, or "".
func closest(name string, known []string) string {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
	}
	best, least := "", 1+len(name)/4
	for _, k := range known {
		if plain(name) == plain(k) {
			return k
		}
		if d := edits(plain(name), plain(k)); d <= least && d < len(k) {
			best, least = k, d-1
		}
	}
	return best
}

// edits counts the letters to add, drop or change to turn a into b.
func edits(a, b string) int {
	if len(a) > 60 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
