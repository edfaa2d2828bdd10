package calltest

import "strings"

// Diff compares a trace with the one wanted, line by line, and returns "" when
// they say the same; how far texts stand from their times does not matter. The
// lines of the difference begin with - for what is wanted and missing, with +
// for what came instead, and with a space for two lines around them that agree.
func Diff(want, got string) string {
	a, b := traceLines(want), traceLines(got)
	var lines []string
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		lines = append(lines, "  "+a[0])
		a, b = a[1:], b[1:]
	}
	if len(a) == 0 && len(b) == 0 {
		return ""
	}
	const most = 1000 // the rest of longer ones is as good as different
	a, b = a[:min(len(a), most)], b[:min(len(b), most)]
	// common[i][j] is how many lines a[i:] and b[j:] have in common.
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			lines = append(lines, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			lines = append(lines, "- "+a[i])
			i++
		default:
			lines = append(lines, "+ "+b[j])
			j++
		}
	}
	return around(lines)
}

// around leaves out the lines that agree and are far from one that does not.
func around(lines []string) string {
	const context = 2
	near := make([]bool, len(lines))
	for i, l := range lines {
		if l[0] != ' ' {
			for k := max(0, i-context); k <= min(len(lines)-1, i+context); k++ {
				near[k] = true
			}
		}
	}
	var b strings.Builder
	for i, l := range lines {
		switch {
		case near[i]:
			b.WriteString(l + "\n")
		case i == 0 || near[i-1]:
			b.WriteString("  ...\n")
		}
	}
	return b.String()
}

// traceLines are the lines of a trace as they are compared.
func traceLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		at, rest, _ := strings.Cut(strings.TrimRight(line, " \t\r\n"), " ")
		if at == "" && rest == "" {
			continue
		}
		line := at
		for len(line) < 6 {
			line += " "
		}
		lines = append(lines, line+" "+strings.TrimLeft(rest, " "))
	}
	return lines
}
