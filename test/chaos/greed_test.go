package chaos

import "fmt"

const (
	greedyEvery = 400 // one item in so many takes more memory than there is, once
	maxCrashes  = 3   // the chart's worker.maxCrashes and worker.maxAttempts

	limit        = "64Mi"
	alwaysGreedy = 7
)

var greedy = fmt.Sprintf(`
n=$(wget -q -O - "$1/begin/$2")
if [ "$2" = %d ] || { [ "$n" = 1 ] && [ $(($2 %% %d)) = 0 ]; }; then
	x=$(head -c 200000000 /dev/zero | tr '\0' x)
fi
`, alwaysGreedy, greedyEvery) + each

func withGreed(*cluster) map[string]string {
	return map[string]string{"worker.resources": `{"limits": {"memory": "` + limit + `"}}`, "worker.maxDead": "1"}
}
