package markup_test

import (
	"testing"

	"github.com/pods-service/pods/shared/markup"
)

func TestFill(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		html  string
		texts map[string]string
		want  string
	}{
		"Text":         {"<p>{a}</p>", map[string]string{"a": `<b>&'"`}, "<p>&lt;b&gt;&amp;&#39;&#34;</p>"},
		"Attribute":    {`<input value="{a}">`, map[string]string{"a": `"><script>`}, `<input value="&#34;&gt;&lt;script&gt;">`},
		"Twice":        {"{a} {a}", map[string]string{"a": "x"}, "x x"},
		"NotAgain":     {"{a}{b}", map[string]string{"a": "{b}", "b": "{a}{style}"}, "{b}{a}{style}"},
		"Empty":        {"<p>{a}</p>", map[string]string{"a": ""}, "<p></p>"},
		"LineStays":    {"1\n{?a}<p>{a}</p>\n2\n", map[string]string{"a": "x"}, "1\n<p>x</p>\n2\n"},
		"LineGoes":     {"1\n{?a}<p>{a}</p>\n2\n", map[string]string{"a": ""}, "1\n2\n"},
		"LineOfNobody": {"1\n{?b}<p></p>\n2\n", map[string]string{"a": "x"}, "1\n2\n"},
		"Style":        {"<style>{style}</style>", nil, "<style>p { color: {a} }</style>"},
		"StyleIsOurs":  {"<style>{style}</style>", map[string]string{"style": "</style><script>"}, "<style>p { color: {a} }</style>"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			page := markup.Page{HTML: tc.html, Style: "p { color: {a} }"}
			if got := string(page.Fill(tc.texts)); got != tc.want {
				t.Errorf("filled in: %s\nwant: %s", got, tc.want)
			}
		})
	}
}
