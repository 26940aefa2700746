// Chooses a tag the way Flux's image reflector does it with filterTags and a numerical policy: a regular expression over
// every tag, the extracted text as the key of a map, and the highest of the keys as 64-bit floating-point numbers.
//
//	numerical PATTERN TEMPLATE < TAGS
package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strconv"
)

func main() {
	pattern := regexp.MustCompile(os.Args[1])
	var tags []string
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		tags = append(tags, lines.Text())
	}
	filtered := map[string]string{}
	for _, tag := range tags {
		if match := pattern.FindStringSubmatchIndex(tag); len(match) > 0 {
			filtered[string(pattern.ExpandString(nil, os.Args[2], tag, match))] = tag
		}
	}
	best, highest, found := "", 0.0, false
	for text := range filtered {
		number, err := strconv.ParseFloat(text, 64)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if !found || number > highest {
			best, highest, found = text, number, true
		}
	}
	fmt.Println(filtered[best])
}
