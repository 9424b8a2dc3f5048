// Package markup fills in the few pages that the service shows to people. A
// program that runs html/template keeps every exported method there is, because a
// template may call any by its name: that would make the API and the gateway half
// as large again.
package markup

import (
	"html"
	"strings"
)

// Page is HTML with places for texts.
type Page struct {
	// HTML is the program's own. {name} is the place of a text, between tags or in
	// an attribute in double quotes that holds no address and no script. A line that
	// begins with {?name} is there only where that text is not empty.
	HTML string
	// Style is the program's own style sheet, put in the place of {style}.
	Style string
}

// Fill returns the page with texts by their names in it, none of which becomes
// markup.
func (p Page) Fill(texts map[string]string) []byte {
	places := []string{"{style}", p.Style}
	for name, text := range texts {
		places = append(places, "{"+name+"}", html.EscapeString(text))
	}
	fill := strings.NewReplacer(places...) // what it puts in is not looked at again
	var filled strings.Builder
	for line := range strings.Lines(p.HTML) {
		if condition, found := strings.CutPrefix(line, "{?"); found {
			name, rest, _ := strings.Cut(condition, "}")
			if texts[name] == "" {
				continue
			}
			line = rest
		}
		_, _ = fill.WriteString(&filled, line) // into memory: always succeeds
	}
	return []byte(filled.String())
}
