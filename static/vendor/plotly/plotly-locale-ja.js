/* The Japanese words of plotly.js (plotly.js-locales 3.7.0, ja.js), MIT, see LICENSE; registered as its own builds do it. */
(() => {
  const locale = {
      moduleType: 'locale',
      name: 'ja',
      dictionary: {
          'Autoscale': '自動ズーム',
          'Box Select': '矩形選択',
          'Click to enter Colorscale title': '色スケールタイトルを入力するにはクリック',
          'Click to enter Component A title': 'コンポーネントAのタイトル入力するにはクリック',
          'Click to enter Component B title': 'コンポーネントBのタイトル入力するにはクリック',
          'Click to enter Component C title': 'コンポーネントCのタイトル入力するにはクリック',
          'Click to enter Plot title': 'プロットタイトルを入力するにはクリック',
          'Click to enter X axis title': 'X軸タイトルを入力するにはクリック',
          'Click to enter Y axis title': 'Y軸タイトルを入力するにはクリック',
          'Compare data on hover': 'ホバー中のデータを比較',
          'Double-click on legend to isolate one trace': '凡例をダブルクリックして1つのトレースを無効化します',
          'Double-click to zoom back out': 'ダブルクリックでズームを戻します',
          'Download plot as a PNG': 'PNGファイルでダウンロード',
          'Download plot': 'ダウンロード',
          'Edit in Chart Studio': 'Chart Studioで編集',
          'IE only supports svg.  Changing format to svg.': 'IEはSVGのみサポートしています。SVGに変換します。',
          'Lasso Select': '投げ縄選択',
          'Orbital rotation': '軌道回転',
          'Pan': '拡大',
          'Produced with Plotly.js': 'Plotly.jsにより作成',
          'Reset': 'リセット',
          'Reset axes': '軸をリセット',
          'Reset camera to default': 'カメラをデフォルトに戻す',
          'Reset camera to last save': 'カメラを最後の保存状態に戻す',
          'Reset view': 'ビューをリセット',
          'Reset views': 'ビューをリセット',
          'Show closest data on hover': 'ホバー時に一番近いデータを表示',
          'Snapshot succeeded': 'スナップショットに成功',
          'Sorry, there was a problem downloading your snapshot!': 'すみません、スナップショットダウンロードでエラーです!',
          'Taking snapshot - this may take a few seconds': 'スナップショットを撮影',
          'Zoom': 'ズーム',
          'Zoom in': '拡大',
          'Zoom out': '縮小',
          'close:': '閉じる:',
          'trace': 'トレース:',
          'lat:': '緯度:',
          'lon:': '経度:',
          'q1:': '第一四分位数:',
          'q3:': '第三四分位数:',
          'source:': 'ソース:',
          'target:': 'ターゲット:',
          'lower fence:': 'フェンス下限:',
          'upper fence:': 'フェンス上限:',
          'max:': '最大:',
          'mean ± σ:': '平均 ± σ:',
          'mean:': '平均:',
          'median:': '中央値:',
          'min:': '最小:',
          'Turntable rotation': '軸回転:',
          'Toggle Spike Lines': 'スパイクラインのオンオフ',
          'open:': '開く:',
          'high:': '高:',
          'low:': '低:',
          'Toggle show closest data on hover': 'ホバー時に一番近いデータを表示のオンオフ',
          'incoming flow count:': '流入フローカウント:',
          'outgoing flow count:': '流出フローカウント:',
          'kde:': 'kde:',
          'Click to enter radial axis title': '放射軸タイトルを入力するにはクリック',
          'new text': '新規テキスト'
      },
      format: {
          days: ['日曜日', '月曜日', '火曜日', '水曜日', '木曜日', '金曜日', '土曜日'],
          shortDays: ['日', '月', '火', '水', '木', '金', '土'],
          months: [
              '1月', '2月', '3月', '4月', '5月', '6月',
              '7月', '8月', '9月', '10月', '11月', '12月'
          ],
          shortMonths: [
              '1月', '2月', '3月', '4月', '5月', '6月',
              '7月', '8月', '9月', '10月', '11月', '12月'
          ],
          date: '%Y/%m/%d'
      }
  };
  if (typeof Plotly === "undefined") (window.PlotlyLocales ??= []).push(locale);
  else Plotly.register(locale);
})();
