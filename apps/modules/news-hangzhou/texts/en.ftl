need-item-review-source = a notice names its source
