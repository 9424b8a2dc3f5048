package pages

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// prefersJSON decides between the two forms by RFC 9110 section 12.5.1. A
// client that takes no HTML gets JSON, whatever it asked for. Where both are equally welcome, a program gets JSON if it says so by name or is a
// script in a browser, and everybody else HTML.
func prefersJSON(header http.Header) bool {
	html, htmlNamed := quality(header.Values("Accept"), "text", "html")
	if xhtml, named := quality(header.Values("Accept"), "application", "xhtml+xml"); named && xhtml > html {
		html, htmlNamed = xhtml, true
	}
	json, jsonNamed := quality(header.Values("Accept"), "application", "json")
	if html == 0 {
		return true
	}
	if html != json {
		return json > html
	}
	if htmlNamed != jsonNamed {
		return jsonNamed
	}
	mode := header.Get("Sec-Fetch-Mode")
	return mode != "" && mode != "navigate"
}

// quality returns how welcome a media type is, from 0 to 1, and whether the
// client named it rather than a range. No Accept header welcomes everything.
func quality(accept []string, kind, subtype string) (q float64, named bool) {
	if len(accept) == 0 {
		return 1, false
	}
	best := -1 // how exact the range that decides is
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		exactness := match(media, kind, subtype)
		if exactness > best {
			best, q = exactness, weight(parameters["q"])
		}
	}
	return q, best == exact
}

// How exactly a media range matches a type.
const (
	noMatch = iota - 1
	anything
	anySubtype
	exact
)

func match(media, kind, subtype string) int {
	switch media {
	case kind + "/" + subtype:
		return exact
	case kind + "/*":
		return anySubtype
	case "*/*":
		return anything
	}
	return noMatch
}

func weight(text string) float64 {
	if text == "" {
		return 1
	}
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}
