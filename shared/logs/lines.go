package logs

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// pieceSize is the longest piece of a line that is held while it is read.
const pieceSize = 64 << 10

// piece is a line, or a part of one that is longer than pieceSize.
type piece struct {
	at    time.Time // when the line was written
	text  []byte    // storable; valid until the next piece is read
	start bool      // the line starts with it
	end   bool      // the line ends with it; its line end is part of text
}

// lineReader takes a log apart. Lines that carry no time are not the
// container's: the kubelet puts errors of its own into the stream.
type lineReader struct {
	source *bufio.Reader
	at     time.Time // of the line that is being read
	inLine bool      // the last piece did not end its line
	carry  []byte    // the start of a character that the last piece cut
	text   []byte    // reused for every piece
}

func newLineReader(source io.Reader) *lineReader {
	return &lineReader{source: bufio.NewReaderSize(source, pieceSize)}
}

// next returns the next piece, or the source's error once there is none.
func (r *lineReader) next() (piece, error) {
	for {
		data, err := r.source.ReadSlice('\n')
		if len(data) == 0 {
			return piece{}, err
		}
		whole := err == nil
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return piece{}, err // broken off within a line: it will be read again
		}
		start := !r.inLine
		if start {
			at, text, ok := splitTime(data)
			if !ok {
				if err := r.skipLine(whole); err != nil {
					return piece{}, err
				}
				continue
			}
			r.at, data = at, text
		}
		r.inLine = !whole
		return piece{at: r.at, text: r.clean(data, whole || errors.Is(err, io.EOF)), start: start, end: whole}, nil
	}
}

// splitTime cuts the time off the start of a line.
func splitTime(line []byte) (at time.Time, text []byte, ok bool) {
	stamp, text, found := bytes.Cut(line, []byte{' '})
	if !found { // an empty line may have lost its space
		stamp, text = bytes.TrimSuffix(line, []byte{'\n'}), line[len(bytes.TrimSuffix(line, []byte{'\n'})):]
	}
	if len(stamp) > len(time.RFC3339Nano) {
		return time.Time{}, nil, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	return at.UTC(), text, err == nil
}

func (r *lineReader) skipLine(whole bool) error {
	for !whole {
		_, err := r.source.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		whole = err == nil
	}
	return nil
}

// clean returns data without NUL bytes, which Postgres cannot hold, and with
// what is no UTF-8 replaced. A character that is cut at the end waits for the
// next piece, unless last says that none follows.
func (r *lineReader) clean(data []byte, last bool) []byte {
	r.text = append(append(r.text[:0], r.carry...), data...)
	r.carry = r.carry[:0]
	if !last {
		cut := cutRune(r.text)
		r.carry = append(r.carry, r.text[cut:]...)
		r.text = r.text[:cut]
	}
	if bytes.IndexByte(r.text, 0) >= 0 {
		r.text = bytes.ReplaceAll(r.text, []byte{0}, nil)
	}
	if !utf8.Valid(r.text) {
		r.text = []byte(strings.ToValidUTF8(string(r.text), string(utf8.RuneError)))
	}
	return r.text
}

// cutRune returns where an incomplete character at the end of text starts, or
// the length of text.
func cutRune(text []byte) int {
	for i := len(text) - 1; i >= 0 && i >= len(text)-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return i
			}
			break
		}
	}
	return len(text)
}
