"""Write the models of LightGBM and XGBoost here; needs lightgbm and xgboost, which the tests do without.

python -m tests.integration.egress_guard.models.make
"""

from pathlib import Path

import lightgbm  # type: ignore[import-not-found,unused-ignore]
import xgboost  # type: ignore[import-not-found,unused-ignore]

from tests.integration.egress_guard.data import breast_cancer

HERE = Path(__file__).parent


def main() -> None:
    data = breast_cancer()
    light = lightgbm.LGBMClassifier(n_estimators=8, verbose=-1, random_state=1).fit(data.features, data.labels)
    light.booster_.save_model(HERE / "lightgbm.txt")
    boosted = xgboost.XGBClassifier(n_estimators=8, random_state=1).fit(data.features, data.labels)
    boosted.save_model(HERE / "xgboost.json")
    boosted.save_model(HERE / "xgboost.ubj")


if __name__ == "__main__":
    main()
